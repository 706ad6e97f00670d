/* Whether the store's user may run each command that mailbraked runs. */
#ifndef STORE_TRIAL_H
#define STORE_TRIAL_H

#include "store/connection.h"

struct trial {
    char text[400]; /* what Redis refuses, for an administrator; "" when it is nothing */
};

/* Tries them on a key of its own, which is gone afterwards. False when the connection
 * died. */
bool trial_run(struct connection *connection, const char *prefix, int64_t deadline_us,
               struct trial *out);

#endif
