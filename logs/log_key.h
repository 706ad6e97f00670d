/* A key of mail logs, as it is shown. */
#ifndef LOGS_LOG_KEY_H
#define LOGS_LOG_KEY_H

#include "base/digest.h"
#include "policy/message.h"

/* key as it is without a hash; else "login:HASH", as `mailbrake explain --hash` shows it.
 */
void log_key_show(const struct digest_key *hash, const char *key, char out[SUBJECT_SIZE]);

#endif
