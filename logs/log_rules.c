/* Without header fields there are no threads, subjects, replies or visible addresses. A
 * rule that needs them is left out: with all mail in one campaign it would fire at once.
 */
#include "logs/log_rules.h"

#include <stdlib.h>

const char *log_rules_unjudged(const struct rule *rule)
{
    if (rule_is_metered(rule) && rule->key == KEY_THREAD)
        return "key = \"thread\": a log does not say which message answers which";
    if (rule_is_metered(rule) && rule->key == KEY_CAMPAIGN)
        return "key = \"campaign\": a log has no subjects";
    if (rule_is_metered(rule) && rule->key == KEY_TOPIC)
        return "key = \"topic\": a log has no subjects";
    if (rule->over[MEASURE_VISIBLE] >= 0)
        return "visible_over: a log does not say what To and Cc show";
    if (rule->over[MEASURE_VISIBLE_EXTERNAL] >= 0)
        return "visible_external_over: a log does not say what To and Cc show";
    if (rule->reply == YES)
        return "reply = true: a log does not say what is a reply";
    if (rule->automatic == YES)
        return "automatic = true: a log does not say what a program wrote";
    return NULL;
}

const char *log_rules_doubt(const struct rule *rule)
{
    if (rule->reply == NO)
        return "reply = false: judged as if no message were a reply";
    if (rule->automatic == NO)
        return "automatic = false: judged as if no message were automatic";
    return NULL;
}

enum status log_rules_init(struct log_rules *rules, const struct snapshot *snapshot)
{
    const struct policy *policy = &snapshot->settings->policy;
    *rules = (struct log_rules){.settings = *snapshot->settings};
    rules->snapshot.settings = &rules->settings;
    rules->snapshot.directory = snapshot->directory;
    struct rule *judged = calloc(policy->rule_count + 1, sizeof *judged);
    rules->unjudged = calloc(policy->rule_count + 1, sizeof *rules->unjudged);
    rules->settings.policy.rules = judged;
    rules->settings.policy.rule_count = 0;
    if (judged == NULL || rules->unjudged == NULL) {
        log_rules_clear(rules);
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        const char *why = log_rules_unjudged(rule);
        if (why == NULL) {
            judged[rules->settings.policy.rule_count++] = *rule;
            why = log_rules_doubt(rule);
        }
        if (why != NULL)
            rules->unjudged[rules->unjudged_count++] =
                (struct log_unjudged){rule->name, why};
    }
    return STATUS_OK;
}

void log_rules_clear(struct log_rules *rules)
{
    free(rules->settings.policy.rules);
    free(rules->unjudged);
    *rules = (struct log_rules){.unjudged_count = 0};
}
