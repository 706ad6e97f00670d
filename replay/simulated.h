/* The store of a replay: what charges are asked of, at a time that is said. */
#ifndef REPLAY_SIMULATED_H
#define REPLAY_SIMULATED_H

#include "policy/charge.h"

/* As store_charge (policy/charge.h), at now_ms of the simulated wall clock. */
struct simulated_store {
    enum status (*charge)(void *context, const struct charge *charges, size_t count,
                          enum charge_mode mode, int64_t now_ms,
                          struct charge_outcome *out_outcomes);
    void *context;
    enum charge_source source;
};

/* One in this process, empty; NULL without memory. */
struct simulated;
struct simulated *simulated_new(void);
void simulated_free(struct simulated *simulated); /* NULL is allowed */
struct simulated_store simulated_store(struct simulated *simulated);

#endif
