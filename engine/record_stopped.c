/* Makes the ledger's event of facts and verdict. Everything is borrowed: the ledger
 * copies what it keeps. */
#include "engine/record_stopped.h"

#include <string.h>

#include "base/log.h"
#include "engine/passed.h"

static void name_recipients(const struct view *view, struct event *event)
{
    const struct facts *facts = view->facts;
    event->addressed_count = facts->recipient_count;
    for (size_t i = 0; i < facts->recipient_count; i++) {
        const struct recipient *recipient = &facts->recipients[i];
        if (i < EVENT_ADDRESSED_MAX)
            event->addressed[i] = recipient->address;
        if (recipient->list == DIRECTORY_NONE)
            continue;
        if (event->list_count < EVENT_LISTS_MAX)
            event->lists[event->list_count] =
                directory_list(view->directory, recipient->list)->address;
        event->list_count++;
    }
}

/* True when the identity is proven: it logged in, or the client is trusted. */
static bool is_proven(const struct view *view)
{
    const struct facts *facts = view->facts;
    return facts->login.length > 0 ||
           (facts->trusted &&
            domains_have_address(&view->policy->domains, &facts->sender));
}

/* Logs why a message is deferred that should be held; each reason is throttled on its
 * own. */
static void say_why(enum hold_result result)
{
    if (result == HOLD_SHARE_FULL)
        log_throttled(SEVERITY_ERROR,
                      "one sender or client has a fifth of quarantine.max_messages on "
                      "hold: its further mail is deferred instead of held");
    else if (result == HOLD_CROWDED)
        log_throttled(SEVERITY_ERROR,
                      "an incident is full of other senders' mail: mail from outside is "
                      "deferred instead of held in it (quarantine.max_per_incident)");
    else if (result == HOLD_FULL_PERHAPS)
        log_throttled(SEVERITY_ERROR,
                      "the quarantine or an incident seems full, but the queue could not "
                      "be looked at in time, or another relay holds a part of it: mail "
                      "is deferred instead of held");
    else
        log_throttled(SEVERITY_ERROR,
                      "the quarantine or its disk is full: mail is deferred instead of "
                      "held (quarantine.max_messages, quarantine.min_free)");
}

static void take_hold(const struct hold *hold, struct verdict *verdict,
                      struct decision *decision)
{
    memcpy(decision->hold, hold->id, sizeof decision->hold);
    memcpy(decision->incident, hold->incident, sizeof decision->incident);
    memcpy(decision->tell, hold->tell, sizeof decision->tell);
    if (hold->result == HOLD_KEPT || hold->result == HOLD_UNRECORDED)
        return;
    if (hold->result == HOLD_INCIDENT_FULL) {
        verdict->action = ACTION_REJECT;
        return;
    }
    verdict->action = ACTION_DEFER;
    verdict->temporary = true;
    say_why(hold->result);
}

/* The permit that matched, but had too little left. */
static struct event_permit exceeded(const struct verdict *verdict)
{
    const struct permit *permit = verdict->permit;
    if (permit == NULL)
        return (struct event_permit){.id = NULL};
    return (struct event_permit){permit->id, permit->rate.burst, verdict->permit_left};
}

/* A window takes so many times what is usual, or its floor. */
static int64_t usual_of(const struct verdict *verdict)
{
    const struct charge *charge = verdict->charge;
    if (charge == NULL || charge->surge == NULL ||
        verdict->outcome.burst <= charge->surge->floor)
        return 0;
    return verdict->outcome.burst * 1000 / charge->surge->factor;
}

/* What an event borrows. */
struct event_texts {
    char subject[SUBJECT_SIZE], limit[PASSED_SIZE], by[CONFIRM_IDENTITY_SIZE];
};

/* Whose answer lets the message go; NULL: nobody's. */
static const char *confirmed_by(const struct view *view, const struct verdict *verdict,
                                struct event_texts *texts)
{
    bool asks = verdict->rule != NULL && verdict->rule->action == ACTION_CONFIRM;
    return asks && confirm_identity(view->facts, &view->policy->domains, texts->by)
               ? texts->by
               : NULL;
}

static struct event make_event(const struct engine_input *input,
                               const struct judgement *judgement,
                               const struct verdict *verdict, struct event_texts *texts)
{
    const struct view *view = &judgement->view;
    const struct facts *facts = &judgement->facts;
    const char *queue_id = input->envelope->queue_id;
    const char *decider = judge_decider(verdict);
    int64_t before = passed_describe(verdict, texts->limit);
    struct event event = {
        .action = verdict->action,
        .rule = decider,
        .fingerprint = verdict->rule != NULL ? verdict->rule->fingerprint : decider,
        .subject = judge_subject(view, verdict, texts->subject),
        .identity = facts->identity,
        .sender = facts->sender.text,
        .client = facts->client,
        .proven = is_proven(view),
        .local = facts->origin == ORIGIN_LOCAL,
        .limit = texts->limit,
        .before = before,
        .usual = usual_of(verdict),
        .permit = exceeded(verdict),
        .tell = match_may_tell(view),
        .confirmed_by = confirmed_by(view, verdict, texts),
        .confirm = verdict->confirm,
        .reach = facts->measures[MEASURE_REACH],
        .copies = (int64_t)facts->copies,
        .charges = judgement->plan.charges,
        .charge_count = judgement->plan.charge_count,
        .queue_id = queue_id == NULL ? "" : queue_id,
        .now_ms = input->now_ms,
    };
    name_recipients(view, &event);
    return event;
}

void record_stopped(struct engine *engine, const struct engine_input *input,
                    int64_t deadline_us, struct judgement *judgement,
                    struct decision *decision)
{
    struct event_texts texts;
    struct verdict *verdict = &judgement->verdict;
    const struct event event = make_event(input, judgement, verdict, &texts);
    if (verdict->action == ACTION_QUARANTINE) {
        struct hold hold;
        ledger_hold(engine->ledger, input->snapshot->settings, &event, deadline_us,
                    &hold);
        take_hold(&hold, verdict, decision);
    } else {
        ledger_count(engine->ledger, &event, decision->incident);
    }
}

static void count_would(struct engine *engine, const struct engine_input *input,
                        const struct judgement *judgement, const struct verdict *verdict)
{
    struct event_texts texts;
    char incident[DIGEST_ID_SIZE];
    struct event event = make_event(input, judgement, verdict, &texts);
    event.would = true;
    ledger_count(engine->ledger, &event, incident);
}

void record_would(struct engine *engine, const struct engine_input *input,
                  const struct judgement *judgement)
{
    const struct plan *plan = &judgement->plan;
    const struct verdict *verdict = &judgement->verdict;
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        const struct verdict would = judge_would(step);
        if (would.action != ACTION_ACCEPT)
            count_would(engine, input, judgement, &would);
    }
    bool decided = verdict->rule != NULL || verdict->action == ACTION_QUARANTINE;
    if (judgement_only_monitors(judgement) && !verdict->temporary && decided)
        count_would(engine, input, judgement, verdict);
}
