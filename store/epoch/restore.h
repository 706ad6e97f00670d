/* Writes back to the shared store what this relay has seen last of its keys. */
#ifndef STORE_EPOCH_RESTORE_H
#define STORE_EPOCH_RESTORE_H

#include "store/epoch/last_seen.h"

/* What to write back. Borrowed. */
struct restore {
    struct last_seen *seen;
    const char *prefix;
    bool lost;        /* what the store lacks is lost; else it may have been reset */
    int64_t since_us; /* what was seen at or after that, and in any case what is owed */
    int step_ms;      /* how long each round trip may take */
};

/* Does it, newest first (restore.lua). *out_changed: how many keys were changed, also
 * when it fails. As connection_ask; CONFLICT while a Cluster moves the keys. */
enum status restore_write(const struct restore *restore, struct connection *connection,
                          size_t *out_changed, struct error *error) MUST_CHECK;

#endif
