/* A limit refills while its bucket is drawn from, so more than its N can pass in one
 * period: this says how much. */
#include "cli/check_limits.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "engine/json_output.h"

static const char *unit_name(const struct rule *rule)
{
    return rule->unit == UNIT_MESSAGES ? "messages" : "recipients";
}

static void print_limit(const struct rule *rule, int width)
{
    char period[DURATION_SIZE];
    char whose[64] = "in all";
    if (rule->key == KEY_FROM)
        (void)snprintf(whose, sizeof whose, "for one element of from");
    else if (rule->key != KEY_ALL)
        (void)snprintf(whose, sizeof whose, "for one %s", key_name(rule->key));
    duration_format(rule->limit.period_ms, period);
    (void)printf("  %-*s  at most %lld %s in %s %s (%lld at once)\n", width, rule->name,
                 (long long)rate_most(&rule->limit), unit_name(rule), period, whose,
                 (long long)rule->limit.burst);
}

void check_limits_print(const struct snapshot *snapshot)
{
    const struct policy *policy = &snapshot->settings->policy;
    size_t width = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        size_t length = strlen(policy->rules[i].name);
        if (policy->rules[i].has_limit && length > width)
            width = length;
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].has_limit)
            print_limit(&policy->rules[i], (int)width);
    }
}

json_t *check_limits_json(const struct snapshot *snapshot)
{
    json_t *limits = json_array();
    for (size_t i = 0; snapshot != NULL && i < snapshot->settings->policy.rule_count;
         i++) {
        const struct rule *rule = &snapshot->settings->policy.rules[i];
        if (!rule->has_limit)
            continue;
        (void)json_array_append_new(
            limits,
            json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:I}", "rule",
                      json_output_string(rule->name), "key", key_name(rule->key), "unit",
                      unit_name(rule), "burst", (json_int_t)rule->limit.burst, "tokens",
                      (json_int_t)rule->limit.tokens, "period_s",
                      (json_int_t)(rule->limit.period_ms / 1000), "most",
                      (json_int_t)rate_most(&rule->limit)));
    }
    return limits;
}
