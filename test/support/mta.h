/* The MTA's side of the milter protocol, version 6 (libmilter/mfdef.h), for tests: says
 * whatever a test wants, in any order, and writes down what the milter answers. */
#ifndef SUPPORT_MTA_H
#define SUPPORT_MTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    MTA_TEXT_BYTES = 1024, /* of a reply's text */
    MTA_CHANGES_MAX = 32,  /* modifications kept of one message */
    MTA_STAGES = 7,        /* SMFIM_CONNECT to SMFIM_EOH */
    MTA_SYMBOLS_BYTES = 512,
};

/* What the MTA offers unless a test says otherwise. */
#define MTA_ACTIONS 0x000001FFU
#define MTA_STEPS 0x001FFFFFU

/* What the milter asked for. */
struct mta_terms {
    uint32_t version, actions, steps;
    bool has_symbols[MTA_STAGES]; /* by SMFIM_*: it sent a list for this stage */
    char symbols[MTA_STAGES][MTA_SYMBOLS_BYTES];
};

/* One modification: SMFIR_ADDHEADER, _CHGHEADER, _INSHEADER, _QUARANTINE or another. */
struct mta_change {
    char kind;
    uint32_t index;
    char *name;  /* owned; "" where there is none */
    char *value; /* owned; the reason of a quarantine */
};

struct mta_reply {
    char kind;                 /* SMFIR_*, or 0: none was due */
    char text[MTA_TEXT_BYTES]; /* of SMFIR_REPLYCODE: "550 5.7.1 ..." */
};

struct mta;

/* Every wait ends after timeout_ms. NULL without memory. */
struct mta *mta_new(int timeout_ms);
void mta_free(struct mta *mta); /* closes */

/* "unix:PATH" or "inet:PORT@ADDRESS". An open connection is closed first. */
enum status mta_open(struct mta *mta, const char *socket, struct error *error) MUST_CHECK;
void mta_close(struct mta *mta); /* without a word */

/* Offers actions and steps. */
enum status mta_negotiate(struct mta *mta, uint32_t actions, uint32_t steps,
                          struct error *error) MUST_CHECK;
const struct mta_terms *mta_terms(const struct mta *mta);

/* Macros for a command (SMFIC_*): names and values in turn, ended by NULL. Like a real
 * MTA it leaves out what the milter did not ask for, if it sent a list for that stage. */
enum status mta_macros(struct mta *mta, char command, const char *const *pairs,
                       struct error *error) MUST_CHECK;

/* One command with its data (of any bytes). Sends nothing when the milter negotiated the
 * command away; waits for the reply unless none is due. At SMFIC_BODYEOB it gathers the
 * modifications. UNAVAILABLE: closed or too late; INVALID: it broke the protocol. */
enum status mta_command(struct mta *mta, char command, const void *data, size_t length,
                        struct mta_reply *out_reply, struct error *error) MUST_CHECK;

/* address: IPv4, IPv6 or NULL for an unknown client. */
enum status mta_connect(struct mta *mta, const char *host, const char *address,
                        struct mta_reply *out_reply, struct error *error) MUST_CHECK;

/* Commands whose data are strings: HELO, MAIL, RCPT with ESMTP arguments, HEADER with
 * name and value. strings ends with NULL. Starting a message (MAIL) forgets the changes.
 */
enum status mta_strings(struct mta *mta, char command, const char *const *strings,
                        struct mta_reply *out_reply, struct error *error) MUST_CHECK;

/* Bytes as they are, now. */
enum status mta_raw(struct mta *mta, const void *data, size_t length,
                    struct error *error) MUST_CHECK;

/* What was written so far is sent on: steps without a reply are kept back until then. */
enum status mta_flush(struct mta *mta, struct error *error) MUST_CHECK;

/* Waits until the milter closes the connection; UNAVAILABLE if it does not in time. */
enum status mta_wait_closed(struct mta *mta, struct error *error) MUST_CHECK;

/* Replies waited for since MAIL, and modifications since then. */
unsigned mta_replies(const struct mta *mta);
size_t mta_change_count(const struct mta *mta);
const struct mta_change *mta_change_at(const struct mta *mta, size_t i);

/* "continue", "reject", ... of an SMFIR_*; "none" for 0. */
const char *mta_kind_name(char kind);

#endif
