/* The value of X-Mailbrake in a held message: all that is left of a hold if the store
 * loses its record.
 *
 *   id=ID rule=RULE incident=INCIDENT reach=N [tell=HASH] [NAME=VALUE]...
 *
 * Recipients of released mail see it, so it names nobody. */
#ifndef QUARANTINE_HOLD_HEADER_H
#define QUARANTINE_HOLD_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"

#define HOLD_HEADER_FIELD "X-Mailbrake"

enum { HOLD_HEADER_SIZE = 256, HOLD_HEADER_RULE_SIZE = 65 };

struct hold_header {
    char id[DIGEST_ID_SIZE];
    char rule[HOLD_HEADER_RULE_SIZE];
    char incident[DIGEST_ID_SIZE]; /* "-" for none */
    int64_t reach;                 /* 0 to 10^12 - 1 */
    char tell[DIGEST_ID_SIZE];     /* as hold_header_sign makes it; "": no notice */
};

void hold_header_print(const struct hold_header *header, char out[HOLD_HEADER_SIZE]);

/* INVALID for a value that is not ours; then *out is as before. An unknown field is
 * skipped if it comes after the known ones. */
enum status hold_header_parse(const char *text, struct hold_header *out) MUST_CHECK;

/* Signs that a notice may go to the sender of hold id, and under which identity he was
 * judged: nobody else can forge it, or use it for another message. */
void hold_header_sign(const struct digest_key *key, const char *id, const char *identity,
                      const char *sender, char out_tell[DIGEST_ID_SIZE]);

/* False when the header does not vouch for this sender. out_identity: "login:SENDER",
 * "sender:SENDER" or "client:local". */
bool hold_header_vouches(const struct digest_key *key, const struct hold_header *header,
                         const char *sender, char *out_identity, size_t size);

#endif
