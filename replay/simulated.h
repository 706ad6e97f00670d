/* A replay's store: like the daemon's memory store, but at the messages' time. */
#ifndef REPLAY_SIMULATED_H
#define REPLAY_SIMULATED_H

#include "engine/engine.h"

/* Empty; NULL without memory. */
struct simulated;
struct simulated *simulated_new(void);
void simulated_free(struct simulated *simulated); /* NULL is allowed */

/* A charger of its buckets, which borrows it. */
struct charger simulated_charger(struct simulated *simulated);

#endif
