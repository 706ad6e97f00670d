/* What senders let go by answering a letter: the tokens of the letters, and what was
 * confirmed by them. */
#ifndef QUARANTINE_CONFIRM_H
#define QUARANTINE_CONFIRM_H

#include <jansson.h>

#include "policy/policy.h"
#include "quarantine/ledger_incident.h"
#include "store/documents.h"

enum {
    CONFIRM_PASS_MS = 4 * 3600 * 1000,  /* how long the key passes its rule afterwards */
    CONFIRM_PASS_FACTOR = 2,            /* and how many times the copies that were held */
    CONFIRM_KEPT_MS = 24 * 3600 * 1000, /* how long what was confirmed may wait for a
                                           relay that is away */
};

/* A letter to whom an answer is awaited. Borrowed. */
struct confirm_letter {
    const char *token, *incident;
    const char *to; /* the address that it goes to */
    const char *by; /* whose answer counts, as confirm_identity gives it */
    int64_t until_ms;
};

/* CONFIRM_TOKEN_LENGTH random lower-case letters and digits. */
void confirm_make_token(char out[CONFIRM_TOKEN_LENGTH + 1]);

/* Keeps the letter's token, perhaps again. LIMIT when there are too many. */
enum status confirm_keep(struct ledger *ledger, const struct confirm_letter *letter,
                         int64_t deadline_us) MUST_CHECK;

/* An answer as it came. Borrowed. */
struct confirm_answer {
    const char *token;
    const char *by;    /* who sent it; NULL: it proves no identity */
    const char *shown; /* the same as the audit may show it */
    const char *host;  /* this relay's name */
    bool automatic;
    const struct policy *policy;
    int64_t now_ms;
};

/* OK: it counts, and its token is used up; what it confirms is found by confirm_list.
 * INVALID: it does not, *out_why says why (static), and nothing has changed.
 * out_incident, whose letter it answers: "" when that is not known. Else the store did
 * not answer. */
enum status confirm_take(struct ledger *ledger, const struct confirm_answer *answer,
                         int64_t deadline_us, char out_incident[DIGEST_ID_SIZE],
                         const char **out_why) MUST_CHECK;

/* Calls each for what was confirmed in the last CONFIRM_KEPT_MS, with its id and its
 * text; what is older is forgotten. Such a record has "incident", "by", "to" (the address
 * that was asked), "shown", "host" (where the answer came), "at" in ms, and "done":
 * {HOST: true} for the relays that have released what they hold of it. The rest is
 * daemon/confirming.c's. */
enum status confirm_list(struct ledger *ledger, int64_t now_ms, int64_t deadline_us,
                         store_each *each, void *context) MUST_CHECK;

/* Changes such a record as change does it, anew for as long as others change it
 * meanwhile. NOT_FOUND; CONFLICT when change returned false. */
enum status confirm_change(struct ledger *ledger, const char *id, ledger_change *change,
                           void *context, int64_t deadline_us) MUST_CHECK;

/* Forgets tokens that lapsed retention_ms ago. */
enum status confirm_prune(struct ledger *ledger, int64_t now_ms, int64_t retention_ms,
                          int64_t deadline_us) MUST_CHECK;

#endif
