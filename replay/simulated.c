/* Memory buckets that are charged at the time of a message, not at that of the process.
 */
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
    memory_let_grow(simulated->local.memory);
    return simulated;
}

void simulated_free(struct simulated *simulated)
{
    if (simulated == NULL)
        return;
    memory_free(simulated->local.memory);
    free(simulated);
}

static enum status charge(void *context, const struct plan *plan, int64_t now_ms,
                          struct charge_outcome *out_outcomes,
                          enum charge_source *out_source)
{
    const struct simulated *simulated = context;
    *out_source = CHARGE_SOURCE_MEMORY;
    enum status status =
        local_charge(&simulated->local, plan->charges, plan->charge_count, plan->mode,
                     now_ms, out_outcomes);
    /* Only for want of memory: no message of the past was stopped by that. */
    return status == STATUS_UNAVAILABLE ? STATUS_NOMEM : status;
}

struct charger simulated_charger(struct simulated *simulated)
{
    return (struct charger){.charge = charge, .context = simulated};
}
