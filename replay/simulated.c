/* The daemon's store of type memory, but that its clock is the replay's. */
#include "replay/simulated.h"

#include <stdlib.h>

#include "store/local.h"

struct simulated {
    struct digest_key key;
    struct local local;
};

struct simulated *simulated_new(void)
{
    static const char secret[] = "simulated"; /* the same in each replay */
    struct simulated *simulated = calloc(1, sizeof *simulated);
    if (simulated == NULL)
        return NULL;
    digest_key_derive(secret, sizeof secret, &simulated->key);
    simulated->local =
        (struct local){.memory = memory_new(), .key = &simulated->key, .nodes = 0};
    if (simulated->local.memory == NULL) {
        free(simulated);
        return NULL;
    }
    return simulated;
}

void simulated_free(struct simulated *simulated)
{
    if (simulated == NULL)
        return;
    memory_free(simulated->local.memory);
    free(simulated);
}

static enum status charge(void *context, const struct charge *charges, size_t count,
                          enum charge_mode mode, int64_t now_ms,
                          struct charge_outcome *out_outcomes)
{
    const struct simulated *simulated = context;
    return local_charge(&simulated->local, charges, count, mode, now_ms, out_outcomes);
}

struct simulated_store simulated_store(struct simulated *simulated)
{
    return (struct simulated_store){
        .charge = charge, .context = simulated, .source = CHARGE_SOURCE_MEMORY};
}
