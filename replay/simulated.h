/* The store of a replay: as the daemon's of type memory, but its time is the message's.
 */
#ifndef REPLAY_SIMULATED_H
#define REPLAY_SIMULATED_H

#include "engine/engine.h"

/* Empty; NULL without memory. */
struct simulated;
struct simulated *simulated_new(void);
void simulated_free(struct simulated *simulated); /* NULL is allowed */

/* Charges it; lives as long as it. */
struct charger simulated_charger(struct simulated *simulated);

#endif
