/* The mark of Mailbrake's own notices, so that no rule of ours holds them: a keyed hash
 * over the time and the recipients, worth nothing for any other mail. */
#ifndef QUARANTINE_SEAL_H
#define QUARANTINE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

#define SEAL_FIELD "X-Mailbrake-Notice"
enum { SEAL_SIZE = 80, SEAL_LIFE_MS = 3600 * 1000 };

/* recipients: canonical addresses in strcmp(3) order, separated by blanks. */
void seal_make(const struct digest_key *key, const char *recipients, int64_t now_ms,
               char out_seal[SEAL_SIZE]);

/* True for a seal made with this key for these recipients, at most SEAL_LIFE_MS ago. */
bool seal_is_valid(const struct digest_key *key, const char *seal, const char *recipients,
                   int64_t now_ms);

#endif
