/* Whether the store's user may run each command that mailbraked runs, on each of its
 * keys. */
#ifndef STORE_TRIAL_H
#define STORE_TRIAL_H

#include "store/connection.h"

enum { TRIAL_TEXT_SIZE = 600 };

/* What Redis refuses, for an administrator; "" when it is nothing. */
struct trial {
    char commands[TRIAL_TEXT_SIZE];
    char keys[TRIAL_TEXT_SIZE];
};

/* Tries the commands on a key of its own, which is gone afterwards, and of a Cluster
 * (cluster) those that follow a slot; uses no other key, but asks whether it might. False
 * when the connection died. */
bool trial_run(struct connection *connection, const char *prefix, bool cluster,
               int64_t deadline_us, struct trial *out);

#endif
