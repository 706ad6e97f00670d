/* The store of a replay and of old logs: in memory, at the messages' time, and it forgets
 * nothing that Redis would keep. */
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
