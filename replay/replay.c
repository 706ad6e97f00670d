/* The way of a message is that of milter/decide.c, without a clock, active brakes, or
 * records of what is held. */
#include "replay/replay.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/conversations.h"

struct engine {
    const struct replay *replay;
    struct report *report;
    struct conversations *conversations;
    struct digest_key key;
    struct charge_outcome *outcomes;
    size_t outcome_capacity;
    int64_t minute; /* the one that minute_of_week is of */
    int minute_of_week;
};

/* One message's things, cleared when it was counted. */
struct judged {
    struct facts facts;
    struct plan plan;
    struct view view;
    struct verdict verdict;
};

static bool reserve(struct engine *engine, size_t count)
{
    if (count <= engine->outcome_capacity)
        return true;
    struct charge_outcome *outcomes =
        reallocarray(engine->outcomes, count, sizeof *outcomes);
    if (outcomes == NULL)
        return false;
    engine->outcomes = outcomes;
    engine->outcome_capacity = count;
    return true;
}

static enum status walk(struct engine *engine, struct judged *judged)
{
    const struct simulated_store *store = engine->replay->store;
    struct plan *plan = &judged->plan;
    struct charge_outcome *outcomes = NULL;
    enum status status = plan_make(&judged->view, plan);
    if (status != STATUS_OK)
        return status;
    if (!reserve(engine, plan->charge_count))
        return STATUS_NOMEM;
    if (plan->charge_count > 0) {
        outcomes = engine->outcomes;
        status = store->charge(store->context, plan->charges, plan->charge_count,
                               plan->mode, judged->view.now_ms, outcomes);
    }
    if (status == STATUS_NOMEM)
        return status;
    if (status != STATUS_OK)
        judged->verdict = judge_doubt(judged->view.facts, CAUSE_STORE);
    else
        judge(&judged->view, plan, outcomes, store->source, &judged->verdict);
    return STATUS_OK;
}

static void set_minute(struct engine *engine, int64_t at_ms)
{
    if (engine->minute == at_ms / REPORT_MINUTE_MS)
        return;
    engine->minute = at_ms / REPORT_MINUTE_MS;
    engine->minute_of_week = clock_minute_of_week(at_ms);
}

/* Fills *out in place, since its parts point at each other. */
static enum status judge_one(struct engine *engine,
                             const struct generated_message *message, struct judged *out)
{
    const struct snapshot *snapshot = engine->replay->snapshot;
    const struct policy *policy = &snapshot->settings->policy;
    enum status status =
        facts_gather(&message->envelope, policy, snapshot->directory, &out->facts);
    if (status == STATUS_NOMEM)
        return status;
    if (status != STATUS_OK) {
        facts_guess(&message->envelope, policy, &out->facts);
        out->verdict = judge_doubt(&out->facts, CAUSE_DOUBT);
        return STATUS_OK;
    }
    conversations_join(engine->conversations, &out->facts);
    set_minute(engine, message->at_ms);
    out->view = (struct view){.policy = policy,
                              .directory = snapshot->directory,
                              .facts = &out->facts,
                              .minute_of_week = engine->minute_of_week,
                              .now_ms = message->at_ms,
                              .key = &engine->key};
    if (judge_early(&out->view, &out->verdict))
        return STATUS_OK;
    return walk(engine, out);
}

static void note(struct engine *engine, const struct judged *judged)
{
    enum action action = judged->verdict.action;
    if (engine->replay->snapshot->settings->policy.monitor || action == ACTION_ACCEPT ||
        action == ACTION_QUARANTINE)
        conversations_note(engine->conversations, &judged->facts);
}

/* What rules that only watch would have stopped. */
static void count_would(struct report *report, const struct judged *judged)
{
    for (size_t i = 0; i < judged->plan.step_count; i++) {
        const struct step *step = &judged->plan.steps[i];
        if (!step->fires || !step->rule->monitor)
            continue;
        struct report_sum *would =
            &report->deciders[step->rule - report->policy->rules].would;
        would->messages++;
        would->copies += (int64_t)judged->facts.copies;
    }
}

static enum status take(struct engine *engine, const struct generated_message *message,
                        const struct judged *judged)
{
    const struct replay *replay = engine->replay;
    struct replayed replayed = {.message = message,
                                .verdict = &judged->verdict,
                                .decider =
                                    report_decider(engine->report, &judged->verdict),
                                .copies = (int64_t)judged->facts.copies};
    struct report_entry entry = {.at_ms = message->at_ms,
                                 .tag = message->tag,
                                 .decider = replayed.decider,
                                 .action = judged->verdict.action,
                                 .copies = replayed.copies};
    count_would(engine->report, judged);
    enum status status = report_add(engine->report, &entry);
    if (status != STATUS_OK || replay->each == NULL)
        return status;
    return replay->each(replay->context, &replayed);
}

static enum status play(struct engine *engine, struct generator *generator,
                        struct error *error)
{
    for (;;) {
        struct generated_message message;
        struct judged judged = {0};
        enum status status = generator_next(generator, &message, error);
        if (status != STATUS_OK)
            return status == STATUS_NOT_FOUND ? STATUS_OK : status;
        status = judge_one(engine, &message, &judged);
        if (status == STATUS_OK) {
            note(engine, &judged);
            status = take(engine, &message, &judged);
        }
        plan_clear(&judged.plan);
        facts_clear(&judged.facts);
        if (status != STATUS_OK)
            return status;
    }
}

enum status replay_run(const struct replay *replay, struct report *out,
                       struct error *error)
{
    struct engine engine = {.replay = replay, .report = out, .minute = -1};
    static const char secret[] = "replay"; /* what it hashes never leaves the process */
    digest_key_derive(secret, sizeof secret, &engine.key);
    enum status status =
        report_init(out, replay->scenario, &replay->snapshot->settings->policy);
    if (status != STATUS_OK)
        return status;
    struct generator *generator = generator_new(replay->scenario);
    engine.conversations = conversations_new(CONVERSATIONS_MAX);
    bool made = generator != NULL && engine.conversations != NULL;
    status = made ? play(&engine, generator, error) : STATUS_NOMEM;
    generator_free(generator);
    conversations_free(engine.conversations);
    free(engine.outcomes);
    if (status == STATUS_OK)
        status = report_check(out, replay->snapshot->directory, error);
    if (status != STATUS_OK)
        report_clear(out);
    return status;
}
