/* The state file: what a restart must not refill or forget. Sealed with a keyed hash:
 *
 *   mailbrake-state 4
 *   <id> <level> <rest> <stamp_ms> <tokens> <period_ms> <burst>
 *   window <id> <start_ms> <copies> <factor> <floor> <window_ms> <trained> <braked>
 *          <past> ...
 *   clients <id> <limit> <period_ms> <client>:<stamp_ms> ...
 *   document <collection> <bytes of id> <bytes of value>
 *   <id>
 *   <value>
 *   seal <hash of all above>
 *
 * <past> is <end_ms>:<copies>; clients are keyed hashes. What is latched has " latch
 * <end_ms>" at its end; " own <end_ms>" when Redis has not heard of the latch. Id and
 * value are as they are, with whatever lines they have. */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/digest.h"
#include "base/status.h"
#include "store/documents_memory.h"
#include "store/memory.h"

/* What a file keeps. Borrowed. */
struct state {
    struct memory *memory;              /* NULL: as with documents */
    struct documents_memory *documents; /* NULL: none are written, those read are passed
                                           over */
    bool only_brakes; /* of the documents that are read, only brakes and permits are taken
                       */
};

/* Writes all buckets, windows and sets of clients worth keeping, and all documents as
 * they are at one instant, to a temporary file, and renames it: after a crash the old
 * file or the new one is there. Mode 0600. IO, or NOMEM. */
enum status state_save(const struct state *state, const struct digest_key *key,
                       const char *path, int64_t now_ms, struct error *error) MUST_CHECK;

/* Puts what a file keeps into state; OK too when there is no file. INVALID when it is
 * damaged, of another version, or sealed with another key: then nothing was put in. IO
 * when it can't be read or is no state file at all. */
enum status state_load(const struct state *state, const struct digest_key *key,
                       const char *path, int64_t now_ms, struct error *error) MUST_CHECK;

/* Renames a damaged file to <path>.bad. */
enum status state_set_aside(const char *path, struct error *error) MUST_CHECK;

#endif
