/* What a hold's record says of its windows, given back to them when it is released. */
#include <stdlib.h>

#include "policy/plan.h"
#include "quarantine/ledger_parts.h"
#include "quarantine/record.h"
#include "store/store.h"

/* False when it is none, or its rule has no surge now. */
static bool read_sample(const struct policy *policy, const json_t *sample,
                        struct charge *out)
{
    const char *fingerprint = json_string_value(json_array_get(sample, 0));
    const char *subject = json_string_value(json_array_get(sample, 1));
    json_int_t copies = json_integer_value(json_array_get(sample, 2));
    if (fingerprint == NULL || subject == NULL || copies <= 0)
        return false;
    const struct rule *rule = policy_find_rule(policy, fingerprint);
    if (rule == NULL || !rule->has_surge)
        return false;
    *out = plan_charge(rule, subject, (int64_t)copies);
    return true;
}

enum status ledger_train(struct ledger *ledger, const struct policy *policy,
                         const json_t *hold, int64_t deadline_us)
{
    struct charge charges[RECORD_SAMPLES_MAX];
    size_t count = 0;
    size_t i;
    const json_t *sample;
    json_array_foreach(json_object_get(hold, "teaches"), i, sample)
    {
        if (count < RECORD_SAMPLES_MAX && read_sample(policy, sample, &charges[count]))
            count++;
    }
    if (count == 0)
        return STATUS_OK;
    return store_amend(ledger->store, charges, count, AMEND_TRAIN, deadline_us);
}
