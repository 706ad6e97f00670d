/* The value of X-Mailbrake in a held message: all that is left of a hold when the store
 * has lost its record.
 *
 *   id=ID rule=RULE incident=INCIDENT reach=N [tell=HASH] [NAME=VALUE]...
 *
 * Released mail takes it along to every recipient, so it names nobody. */
#ifndef QUARANTINE_MARK_H
#define QUARANTINE_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"

enum { MARK_SIZE = 256, MARK_RULE_SIZE = 65 };

struct mark {
    char id[DIGEST_ID_SIZE];
    char rule[MARK_RULE_SIZE];
    char incident[DIGEST_ID_SIZE]; /* "-" for none */
    int64_t reach;                 /* 0 to 10^12 - 1 */
    char tell[DIGEST_ID_SIZE];     /* as mark_seal has made it; "": tell nobody */
};

void mark_print(const struct mark *mark, char out[MARK_SIZE]);

/* INVALID for what is none of ours, and then *out is as before. A field that is not known
 * is passed over, if it stands behind those that are. */
enum status mark_parse(const char *text, struct mark *out) MUST_CHECK;

/* What says that the sender of hold id may be written to, and under which identity he was
 * judged: nobody else can make it up, or use it for another message. */
void mark_seal(const struct digest_key *key, const char *id, const char *identity,
               const char *sender, char out_tell[DIGEST_ID_SIZE]);

/* False when the mark does not say so of this sender. out_identity: "login:SENDER",
 * "sender:SENDER" or "client:local". */
bool mark_tells(const struct digest_key *key, const struct mark *mark, const char *sender,
                char *out_identity, size_t size);

#endif
