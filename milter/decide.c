/* The way of a message through policy and store, with the snapshot pinned for just as
 * long. Any doubt ends in the configured action, and is named in the log. */
#include "milter/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const char *verdict_name(const struct verdict *verdict)
{
    return verdict->temporary ? "tempfail" : action_name(verdict->action);
}

static const char *decider_name(const struct verdict *verdict)
{
    if (verdict->rule != NULL)
        return verdict->rule->name;
    switch (verdict->cause) {
    case CAUSE_RELAY:
        return "relays";
    case CAUSE_UNKNOWN:
        return "lists_unknown";
    case CAUSE_DOUBT:
        return "on_failure";
    case CAUSE_NONE:
    case CAUSE_RULE:
    case CAUSE_LIMIT:
    case CAUSE_TOO_MANY:
        break;
    }
    return "-";
}

/* A verdict as what the MTA is told, and what the log says. */
static void take_verdict(const struct verdict *verdict, bool monitor,
                         struct decision *decision)
{
    struct verdict told = *verdict;
    bool stops = verdict->action != ACTION_ACCEPT;
    (void)snprintf(decision->rule, sizeof decision->rule, "%s", decider_name(verdict));
    if (monitor && stops) {
        told.action = ACTION_ACCEPT;
        told.temporary = false;
        (void)snprintf(decision->would, sizeof decision->would, "%s:%s", decision->rule,
                       verdict_name(verdict));
    } else if (verdict->would != NULL) {
        (void)snprintf(decision->would, sizeof decision->would, "%s:%s",
                       verdict->would->name, action_name(verdict->would->action));
    }
    decision->action = told.action;
    decision->verdict = verdict_name(&told);
    decision->keep_marks = monitor || verdict->cause == CAUSE_RELAY;
    reply_make(&told, NULL, &decision->reply);
}

/* Asks the store for a plan's buckets. False when it did not answer. */
static bool charge(struct engine *engine, const struct settings *settings,
                   const struct plan *plan, struct outcome *outcomes,
                   enum store_source *out_source)
{
    *out_source = STORE_NONE;
    if (plan->charge_count == 0)
        return true;
    if (outcomes == NULL)
        return false;
    int64_t deadline = clock_monotonic_us() + (int64_t)settings->store.timeout_ms * 1000;
    return store_charge(engine->store, plan->charges, plan->charge_count, plan->commit,
                        deadline, outcomes, out_source) == STATUS_OK;
}

static struct verdict walk(struct engine *engine, const struct settings *settings,
                           const struct view *view, struct decision *decision,
                           struct plan *plan)
{
    struct verdict verdict;
    if (judge_early(view, &verdict))
        return verdict;
    bool accepts = settings->store.on_failure == ON_FAILURE_ACCEPT;
    if (plan_make(view, plan) != STATUS_OK) {
        decision->failure = "out of memory";
        return judge_doubt(accepts);
    }
    struct outcome *outcomes = calloc(plan->charge_count + 1, sizeof *outcomes);
    bool answered = charge(engine, settings, plan, outcomes, &decision->source);
    if (!answered)
        decision->failure = "the store did not answer";
    if (!answered && !accepts)
        verdict = judge_doubt(false);
    else
        judge(view, plan, answered ? outcomes : NULL, decision->source, &verdict);
    free(outcomes);
    return verdict;
}

static void judge_facts(struct engine *engine, const struct settings *settings,
                        const struct view *view, struct decision *decision)
{
    const struct facts *facts = view->facts;
    struct plan plan = {0};
    memcpy(decision->identity, facts->identity, sizeof decision->identity);
    memcpy(decision->client, facts->client, sizeof decision->client);
    decision->reach = facts->measures[MEASURE_REACH];
    struct verdict verdict = walk(engine, settings, view, decision, &plan);
    take_verdict(&verdict, settings->policy.monitor, decision);
    plan_clear(&plan);
}

static const char *failure_of(enum status status)
{
    return status == STATUS_NOMEM ? "out of memory" : "an address is too long";
}

void decide_message(struct engine *engine, const struct envelope *envelope,
                    const char *failure, int minute_of_week, struct decision *out)
{
    struct snapshot *snapshot = slot_get(&engine->snapshots);
    const struct settings *settings = snapshot->settings;
    *out = (struct decision){.identity = "-", .client = "-", .failure = failure};

    if (failure == NULL) {
        struct facts facts;
        enum status status =
            facts_gather(envelope, &settings->policy, snapshot->directory, &facts);
        if (status == STATUS_OK) {
            struct view view = {
                .policy = &settings->policy,
                .directory = snapshot->directory,
                .facts = &facts,
                .minute_of_week = minute_of_week,
            };
            judge_facts(engine, settings, &view, out);
            facts_clear(&facts);
        } else {
            failure = out->failure = failure_of(status);
        }
    }
    if (failure != NULL) {
        struct verdict doubt =
            judge_doubt(settings->store.on_failure == ON_FAILURE_ACCEPT);
        take_verdict(&doubt, settings->policy.monitor, out);
    }
    snapshot_unref(snapshot);
}
