/* The state file: what a restart must not refill. Text, sealed with a keyed hash:
 *
 *   mailbrake-state 1
 *   <id> <level> <rest> <stamp_ms> <tokens> <period_ms> <burst>
 *   seal <hash of all lines above>
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/digest.h"
#include "base/status.h"
#include "store/memory.h"

/* Writes all buckets that are not full to a temporary file, and renames it: after a crash
 * the old file or the new one is there. Mode 0600. IO, or NOMEM. */
enum status state_save(struct memory *memory, const struct digest_key *key,
                       const char *path, int64_t now_ms, struct error *error) MUST_CHECK;

/* Puts the buckets of a file into memory; OK too when there is no file. INVALID when it
 * is damaged or was sealed with another key: then nothing was put in. IO when it can't be
 * read or is no state file at all. */
enum status state_load(struct memory *memory, const struct digest_key *key,
                       const char *path, int64_t now_ms, struct error *error) MUST_CHECK;

/* Renames a damaged file to <path>.bad. */
enum status state_set_aside(const char *path, struct error *error) MUST_CHECK;

#endif
