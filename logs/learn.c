/* Each message is judged with room in every bucket; what it would have been charged is
 * what its keys did. */
#include "logs/learn.h"

#include <stdlib.h>

#include "logs/log_judge.h"

/* A learning under way. */
struct run {
    struct learning *learning;
    struct log_judge judge;
    const struct mail_log_reading *reading;
};

static enum status charge_nothing(void *context, const struct plan *plan, int64_t now_ms,
                                  struct charge_outcome *out_outcomes,
                                  enum charge_source *out_source)
{
    (void)context;
    (void)now_ms;
    for (size_t i = 0; i < plan->charge_count; i++)
        out_outcomes[i] =
            (struct charge_outcome){.left = plan->charges[i].cost, .fits = true};
    *out_source = CHARGE_SOURCE_MEMORY;
    return STATUS_OK;
}

/* A refused message never went out; one that was held did if it was released. */
static bool went_out(const struct mail_log_message *message)
{
    return message->end != MAIL_LOG_REJECTED && message->end != MAIL_LOG_HELD;
}

static enum status count(struct learning *learning, const struct plan *plan,
                         int64_t at_ms)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < plan->step_count && status == STATUS_OK; i++) {
        const struct plan_step *step = &plan->steps[i];
        size_t end = step->charge + step->charge_count;
        for (size_t j = step->charge; j < end && status == STATUS_OK; j++)
            status =
                usage_table_add(learning->table, step->rule, &plan->charges[j], at_ms);
    }
    return status;
}

static enum status each(void *context, const struct mail_log_message *message)
{
    struct run *run = context;
    struct judgement judgement;
    if (run->learning->first_ms == 0)
        run->learning->first_ms = message->at_ms;
    run->learning->last_ms = message->at_ms;
    if (!went_out(message)) {
        run->learning->stopped++;
        return STATUS_OK;
    }
    enum status status = log_judge_message(&run->judge, message, &judgement);
    if (status != STATUS_OK)
        return status;
    if (judgement.verdict.action == ACTION_ACCEPT)
        status = count(run->learning, &judgement.plan, message->at_ms);
    else
        run->learning->stopped++;
    judgement_clear(&judgement);
    return status;
}

static void progress(void *context, const struct mail_log_statistics *sofar)
{
    const struct run *run = context;
    run->reading->progress(run->reading->context, sofar);
}

static enum status learn_rule(struct learning *learning, const struct rule *judged,
                              struct learned_rule *learned)
{
    enum status status = usage_table_keys(learning->table, judged, &learned->keys,
                                          &learned->count, &learned->forgotten);
    if (status == STATUS_OK)
        learned->proposal =
            proposal_make(judged, learned->keys, learned->count, learned->forgotten);
    return status;
}

/* The configuration's rules in their order; those that were judged are some of them. */
static enum status learn_rules(struct learning *learning, const struct policy *policy)
{
    const struct policy *judged = &learning->rules.settings.policy;
    size_t next = 0;
    enum status status = STATUS_OK;
    learning->learned = calloc(policy->rule_count + 1, sizeof *learning->learned);
    if (learning->learned == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < policy->rule_count && status == STATUS_OK; i++) {
        const struct rule *rule = &policy->rules[i];
        const char *why = log_rules_unjudged(rule);
        const struct rule *copy = why == NULL ? &judged->rules[next++] : NULL;
        if (!rule_is_metered(rule))
            continue;
        struct learned_rule *learned = &learning->learned[learning->learned_count++];
        *learned = (struct learned_rule){.rule = rule, .why = why};
        if (copy != NULL)
            status = learn_rule(learning, copy, learned);
    }
    return status;
}

static enum status init(struct learning *learning, const struct snapshot *snapshot)
{
    *learning = (struct learning){.stopped = 0};
    enum status status = log_rules_init(&learning->rules, snapshot);
    if (status != STATUS_OK)
        return status;
    learning->table = usage_table_new(&learning->rules.settings.policy, USAGE_TABLE_MAX);
    return learning->table == NULL ? STATUS_NOMEM : STATUS_OK;
}

enum status learn_run(const struct mail_log_reading *reading,
                      const struct snapshot *snapshot, struct learning *out,
                      struct error *error)
{
    static const struct charger charger = {.charge = charge_nothing};
    enum status status = init(out, snapshot);
    if (status == STATUS_OK) {
        struct run run = {.learning = out,
                          .judge = {.snapshot = &out->rules.snapshot,
                                    .charger = &charger,
                                    .minute = -1},
                          .reading = reading};
        struct mail_log_reading learning = *reading;
        learning.each = each;
        learning.progress = reading->progress == NULL ? NULL : progress;
        learning.context = &run;
        status = mail_log_read(&learning, &out->log, error);
        log_judge_clear(&run.judge);
    }
    if (status == STATUS_OK)
        status = learn_rules(out, &snapshot->settings->policy);
    if (status != STATUS_OK)
        learn_clear(out);
    return status;
}

void learn_clear(struct learning *learning)
{
    for (size_t i = 0; i < learning->learned_count; i++)
        free(learning->learned[i].keys);
    free(learning->learned);
    usage_table_free(learning->table);
    log_rules_clear(&learning->rules);
    *learning = (struct learning){.stopped = 0};
}
