/* The way of a message through policy and store, with the snapshot pinned for just as
 * long. Any doubt ends in the configured action, and is named in the log. */
#include "engine/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/record_stopped.h"
#include "quarantine/notice_token.h"

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
    case CAUSE_NOTICE:
        return "notice";
    case CAUSE_BRAKE:
        return "brake";
    case CAUSE_UNKNOWN:
        return "lists_unknown";
    case CAUSE_FORGED:
        return "forged";
    case CAUSE_STORE:
        return "on_failure";
    case CAUSE_DOUBT:
        return "doubt";
    case CAUSE_NONE:
    case CAUSE_RULE:
    case CAUSE_LIMIT:
    case CAUSE_LATCH:
    case CAUSE_TOO_MANY:
        break;
    }
    return "-";
}

static void add_would(struct decision *decision, const char *rule, const char *action)
{
    size_t used = strlen(decision->would);
    (void)snprintf(decision->would + used, sizeof decision->would - used, "%s%s:%s",
                   used > 0 ? "," : "", rule, action);
}

/* What monitoring rules would have done, down to where the walk ended. */
static void take_monitors(const struct plan *plan, struct decision *decision)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        if (step->fires && step->rule->monitor)
            add_would(decision, step->rule->name, action_name(step->action));
    }
}

/* In monitor mode everything passes, but for what a brake stops. */
static bool only_watches(const struct view *view, const struct verdict *verdict)
{
    return view->policy->monitor && verdict->action != ACTION_ACCEPT &&
           verdict->cause != CAUSE_BRAKE;
}

/* A verdict as what the MTA is told, and what the log says. */
static void take_verdict(const struct view *view, const struct verdict *verdict,
                         struct decision *decision)
{
    struct verdict told = *verdict;
    bool has_incident = strlen(decision->incident) > 1;
    (void)snprintf(decision->rule, sizeof decision->rule, "%s", decider_name(verdict));
    if (only_watches(view, verdict)) {
        told.action = ACTION_ACCEPT;
        told.temporary = false;
        add_would(decision, decision->rule, verdict_name(verdict));
    }
    decision->action = told.action;
    decision->verdict = verdict_name(&told);
    decision->keep_hold_headers = view->policy->monitor || verdict->cause == CAUSE_RELAY;
    reply_make(&told, has_incident ? decision->incident : NULL, &decision->reply);
}

/* It is there to be answered, or will be once it is released. */
static bool is_let_in(const struct decision *decision)
{
    return decision->action == ACTION_ACCEPT || decision->action == ACTION_QUARANTINE;
}

/* What a rule or a brake stopped is told to the ledger, and all that is held, since
 * somebody must decide about it. */
static bool is_recorded(const struct view *view, const struct verdict *verdict)
{
    bool decided = verdict->rule != NULL || verdict->brake != NULL ||
                   verdict->action == ACTION_QUARANTINE;
    return verdict->action != ACTION_ACCEPT && !verdict->temporary && decided &&
           !only_watches(view, verdict);
}

/* Asks the store for a plan's buckets. */
static enum status charge(struct engine *engine, const struct plan *plan,
                          int64_t deadline_us, struct charge_outcome *outcomes,
                          enum charge_source *out_source)
{
    *out_source = CHARGE_SOURCE_NONE;
    if (plan->charge_count == 0)
        return STATUS_OK;
    if (outcomes == NULL)
        return STATUS_NOMEM;
    return store_charge(engine->store, plan->charges, plan->charge_count, plan->mode,
                        deadline_us, outcomes, out_source);
}

/* The verdict when the store was asked in vain. on_failure = "accept" is for a store that
 * is away, and for nothing that a flood, or one message, can bring about. */
static struct verdict judge_failure(const struct engine *engine, const struct view *view,
                                    struct plan *plan, enum status status,
                                    struct decision *decision)
{
    bool away = status == STATUS_UNAVAILABLE;
    struct verdict verdict;
    decision->failure = away                     ? "the store did not answer"
                        : status == STATUS_LIMIT ? "too many messages wait for the store"
                                                 : "out of memory";
    if (!away)
        return judge_doubt(view->facts, CAUSE_DOUBT);
    if (engine->on_failure != ON_FAILURE_ACCEPT)
        return judge_doubt(view->facts, CAUSE_STORE);
    judge(view, plan, NULL, CHARGE_SOURCE_NONE, &verdict);
    return verdict;
}

static struct verdict walk(struct engine *engine, const struct view *view,
                           int64_t deadline_us, struct decision *decision,
                           struct plan *plan)
{
    struct verdict verdict;
    if (judge_early(view, &verdict))
        return verdict;
    if (plan_make(view, plan) != STATUS_OK) {
        decision->failure = "out of memory";
        return judge_doubt(view->facts, CAUSE_DOUBT);
    }
    struct charge_outcome *outcomes = calloc(plan->charge_count + 1, sizeof *outcomes);
    enum status status = charge(engine, plan, deadline_us, outcomes, &decision->source);
    if (status == STATUS_OK)
        judge(view, plan, outcomes, decision->source, &verdict);
    else
        verdict = judge_failure(engine, view, plan, status, decision);
    free(outcomes);
    return verdict;
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

static const char *failure_of(enum status status)
{
    return status == STATUS_NOMEM ? "out of memory" : "an address is too long";
}

/* Fills facts, with all that can be known when the message can't be understood. Returns
 * why it can't, or NULL. */
static const char *gather(const struct envelope *envelope, const char *failure,
                          const struct snapshot *snapshot, struct facts *facts)
{
    const struct policy *policy = &snapshot->settings->policy;
    if (failure == NULL) {
        enum status status = facts_gather(envelope, policy, snapshot->directory, facts);
        if (status == STATUS_OK)
            return NULL;
        failure = failure_of(status);
    }
    facts_guess(envelope, policy, facts);
    return facts->relay ? NULL : failure; /* a relay's mail is not judged here at all */
}

/* Mailbrake's own notice: by sendmail(1), from nobody, to those its token is for. So who
 * got one has nothing of it that would pass from elsewhere. */
static bool is_notice(const struct engine *engine, const struct facts *facts,
                      const struct message_context *context)
{
    struct text recipients = {0};
    if (context->token == NULL || facts->sender.length > 0 ||
        facts->origin != ORIGIN_LOCAL)
        return false;
    for (size_t i = 0; i < facts->recipient_count; i++) {
        text_add_string(&recipients, i > 0 ? " " : "");
        text_add_string(&recipients, facts->recipients[i].address);
    }
    bool valid = !recipients.failed &&
                 notice_token_is_valid(&engine->token_key, context->token,
                                       text_string(&recipients), context->now_ms);
    text_clear(&recipients);
    return valid;
}

static bool is_forged(const struct view *view, const struct message_context *context)
{
    return !view->facts->relay && !view->notice &&
           context->hold_headers > JUDGE_OWN_FIELDS_MAX;
}

void decide_message(struct engine *engine, const struct envelope *envelope,
                    const struct message_context *context, struct decision *out)
{
    int64_t deadline_us = clock_monotonic_us() + (int64_t)engine->timeout_ms * 1000;
    struct snapshot *snapshot = current_snapshot_pin(&engine->snapshots);
    const struct settings *settings = snapshot->settings;
    struct facts facts;
    struct plan plan = {0};
    struct view view = {
        .policy = &settings->policy,
        .directory = snapshot->directory,
        .facts = &facts,
        .minute_of_week = context->minute_of_week,
        .brakes = active_brakes_take(engine->active_brakes),
        .now_ms = context->now_ms,
        .key = &engine->key,
    };
    *out = (struct decision){.hashed = settings->privacy.addresses == PRIVACY_HASHED};
    out->failure = gather(envelope, context->failure, snapshot, &facts);
    conversations_join(engine->conversations, &facts);
    view.notice = is_notice(engine, &facts, context);
    take_identity(engine, &facts, out);
    out->reach = facts.measures[MEASURE_REACH];
    struct verdict verdict;
    if (is_forged(&view, context)) {
        out->failure = NULL;
        verdict = judge_forged(context->hold_headers);
    } else if (out->failure == NULL) {
        verdict = walk(engine, &view, deadline_us, out, &plan);
    } else {
        verdict = judge_doubt(&facts, CAUSE_DOUBT);
    }
    take_monitors(&plan, out);
    if (is_recorded(&view, &verdict))
        record_stopped(engine, &(struct stopped){&view, &plan, settings, context},
                       deadline_us, &verdict, out);
    take_verdict(&view, &verdict, out);
    if (is_let_in(out))
        conversations_note(engine->conversations, &facts);
    plan_clear(&plan);
    facts_clear(&facts);
    active_brakes_release(engine->active_brakes, view.brakes);
    current_snapshot_unpin(snapshot);
}
