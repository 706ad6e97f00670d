/* What live mail adds to engine_judge: the current snapshot and brakes, the real store,
 * and the records of what is stopped. */
#include "engine/decide.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/answers.h"
#include "engine/engine.h"
#include "engine/record_stopped.h"
#include "engine/traffic.h"

static const char *verdict_name(const struct verdict *verdict)
{
    return verdict->temporary ? "tempfail" : action_name(verdict->action);
}

static void add_would(struct decision *decision, const char *rule, const char *action)
{
    size_t used = strlen(decision->would);
    (void)snprintf(decision->would + used, sizeof decision->would - used, "%s%s:%s",
                   used > 0 ? "," : "", rule, action);
}

/* What monitor rules would have done, down to the rule that decided. */
static void take_monitors(const struct plan *plan, struct decision *decision)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        if (step->fires && step->rule->monitor)
            add_would(decision, step->rule->name, action_name(step->action));
    }
}

/* What the MTA is told, and what the log says. */
static void take_verdict(const struct judgement *judgement, struct decision *decision)
{
    const struct verdict *verdict = &judgement->verdict;
    struct verdict reported = judgement_reported(judgement);
    const struct permit *permit = verdict->cause == CAUSE_PERMIT ? verdict->permit : NULL;
    bool has_incident = strlen(decision->incident) > 1;
    text_join(decision->rule, sizeof decision->rule, judge_decider(verdict), "");
    text_join(decision->permit, sizeof decision->permit, permit == NULL ? "" : permit->id,
              "");
    if (judgement_only_monitors(judgement))
        add_would(decision, decision->rule, verdict_name(verdict));
    decision->action = reported.action;
    decision->verdict = verdict_name(&reported);
    decision->keep_hold_headers =
        judgement->view.policy->monitor || verdict->cause == CAUSE_RELAY;
    reply_make(&reported, has_incident ? decision->incident : NULL, &decision->reply);
}

/* The ledger gets what a rule or a brake stopped, and whatever is held, since somebody
 * must decide about it. */
static bool is_recorded(const struct judgement *judgement)
{
    const struct verdict *verdict = &judgement->verdict;
    bool decided = verdict->rule != NULL || verdict->brake != NULL ||
                   verdict->action == ACTION_QUARANTINE;
    return verdict->action != ACTION_ACCEPT && !verdict->temporary && decided &&
           !judgement_only_monitors(judgement);
}

/* A store, and how long it may take. */
struct live_charger {
    struct store *store;
    int64_t deadline_us;
};

static enum status charge(void *context, const struct plan *plan, int64_t now_ms,
                          struct charge_outcome *out_outcomes,
                          enum charge_source *out_source)
{
    const struct live_charger *live = context;
    (void)now_ms; /* the store has a clock of its own */
    return store_charge(live->store, plan->charges, plan->charge_count, plan->mode,
                        live->deadline_us, out_outcomes, out_source);
}

/* "login:a@b" becomes "login:HASH", HASH as `mailbrake explain --hash a@b` shows it. */
static void take_identity(const struct engine *engine, const struct facts *facts,
                          struct decision *decision)
{
    char hash[DIGEST_HEX_SIZE];
    const char *colon = strchr(facts->identity, ':');
    if (!decision->hashed || colon == NULL) {
        memcpy(decision->identity, facts->identity, sizeof decision->identity);
        memcpy(decision->client, facts->client, sizeof decision->client);
        return;
    }
    digest_hex(&engine->key, colon + 1, strlen(colon + 1), hash);
    (void)snprintf(decision->identity, sizeof decision->identity, "%.*s:%s",
                   (int)(colon - facts->identity), facts->identity, hash);
    digest_hex(&engine->key, facts->client, strlen(facts->client), hash);
    (void)snprintf(decision->client, sizeof decision->client, "%s", hash);
}

/* An answer that counts passes, and comes again when the store can't say. */
static void take_answer(struct engine *engine, const char *shown, int64_t now_ms,
                        int64_t deadline_us, struct judgement *judgement)
{
    enum answer_result result = answers_consider(engine->answers, engine->ledger,
                                                 judgement, shown, now_ms, deadline_us);
    if (result == ANSWER_COUNTS)
        judgement->verdict =
            (struct verdict){.action = ACTION_ACCEPT, .cause = CAUSE_ANSWER, .over = -1};
    else if (result == ANSWER_AWAY)
        judgement->verdict = judge_doubt(&judgement->facts, CAUSE_STORE);
}

void decide_message(struct engine *engine, const struct envelope *envelope,
                    int64_t now_ms, int minute_of_week, struct decision *out)
{
    int64_t deadline_us = clock_deadline_us(engine->timeout_ms);
    struct snapshot *snapshot = current_snapshot_pin(&engine->snapshots);
    const struct engine_input input = {
        .snapshot = snapshot,
        .envelope = envelope,
        .brakes = active_brakes_take(engine->active_brakes),
        .conversations = engine->conversations,
        .key = &engine->key,
        .token_key = &engine->token_key,
        .now_ms = now_ms,
        .minute_of_week = minute_of_week,
    };
    struct live_charger live = {engine->store, deadline_us};
    struct judgement judgement;
    engine_judge(&input, &(struct charger){charge, &live}, &judgement);
    *out = (struct decision){
        .hashed = snapshot->settings->privacy.addresses == PRIVACY_HASHED,
        .reach = judgement.facts.measures[MEASURE_REACH],
        .source = judgement.source,
        .failure = judgement.failure,
    };
    take_identity(engine, &judgement.facts, out);
    take_answer(engine, out->identity, now_ms, deadline_us, &judgement);
    take_monitors(&judgement.plan, out);
    if (is_recorded(&judgement))
        record_stopped(engine, &input, deadline_us, &judgement, out);
    record_would(engine, &input, &judgement);
    take_verdict(&judgement, out);
    traffic_add(engine->traffic, &judgement, out->action != ACTION_ACCEPT, now_ms);
    judgement_remember(&judgement, engine->conversations);
    judgement_clear(&judgement);
    active_brakes_release(engine->active_brakes, input.brakes);
    current_snapshot_unpin(snapshot);
}
