/* The token of Mailbrake's own notices, so that no rule of ours holds them: a keyed hash
 * of the time and the recipients, valid for no other mail. */
#ifndef QUARANTINE_NOTICE_TOKEN_H
#define QUARANTINE_NOTICE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

#define NOTICE_TOKEN_FIELD "X-Mailbrake-Notice"
enum { NOTICE_TOKEN_SIZE = 80, NOTICE_TOKEN_LIFE_MS = 3600 * 1000 };

/* recipients: canonical addresses in strcmp(3) order, separated by blanks. */
void notice_token_make(const struct digest_key *key, const char *recipients,
                       int64_t now_ms, char out_token[NOTICE_TOKEN_SIZE]);

/* True for a token made with this key for these recipients, at most NOTICE_TOKEN_LIFE_MS
 * ago. */
bool notice_token_is_valid(const struct digest_key *key, const char *token,
                           const char *recipients, int64_t now_ms);

#endif
