/* Reads the plan's steps with what the store found, and stops at the first that fires. */
#include "policy/judge.h"

#include "base/text.h"

const char *const judge_other_deciders[] = {[CAUSE_NONE] = "-",
                                            [CAUSE_RELAY] = "relays",
                                            [CAUSE_NOTICE] = "notice",
                                            [CAUSE_BRAKE] = "brake",
                                            [CAUSE_UNKNOWN] = "lists_unknown",
                                            [CAUSE_GROWN] = "lists_grown",
                                            [CAUSE_STORE] = "on_failure",
                                            [CAUSE_DOUBT] = "doubt",
                                            [CAUSE_FORGED] = "forged",
                                            [CAUSE_PERMIT] = "permit",
                                            [CAUSE_ANSWER] = "confirmation",
                                            [CAUSE_ANSWER + 1] = NULL};

const char *judge_decider(const struct verdict *verdict)
{
    return verdict->rule != NULL ? verdict->rule->name
                                 : judge_other_deciders[verdict->cause];
}

const char *judge_subject(const struct view *view, const struct verdict *verdict,
                          char buffer[SUBJECT_SIZE])
{
    if (verdict->brake != NULL)
        return verdict->brake->key.text;
    if (verdict->charge != NULL)
        return verdict->first->subject;
    if (verdict->grown != NULL) {
        text_join(buffer, SUBJECT_SIZE, "list:", verdict->grown->address);
        return buffer;
    }
    if (verdict->rule == NULL)
        return view->facts->identity;
    return plan_subject(view, verdict->rule, buffer, SUBJECT_SIZE) ? buffer : "all";
}

static struct verdict verdict_of(enum action action, enum cause cause,
                                 const struct rule *rule)
{
    return (struct verdict){
        .action = action,
        .cause = cause,
        .rule = rule,
        .over = -1,
    };
}

/* Local mail is not deferred: it would wait in maildrop for ever, unseen. */
static enum action settle_local(const struct facts *facts, enum action action)
{
    bool waits = action == ACTION_DEFER && facts->origin == ORIGIN_LOCAL;
    return waits ? ACTION_QUARANTINE : action;
}

static void put_off(const struct facts *facts, struct verdict *verdict)
{
    verdict->action = settle_local(facts, ACTION_DEFER);
    verdict->temporary = verdict->action == ACTION_DEFER;
}

struct verdict judge_doubt(const struct facts *facts, enum cause cause)
{
    struct verdict verdict = verdict_of(ACTION_DEFER, cause, NULL);
    put_off(facts, &verdict);
    return verdict;
}

static struct verdict judge_forged(int fields)
{
    struct verdict verdict = verdict_of(ACTION_REJECT, CAUSE_FORGED, NULL);
    verdict.value = fields;
    verdict.over = JUDGE_HOLD_HEADERS_MAX;
    return verdict;
}

bool judge_early(const struct view *view, struct verdict *out)
{
    const struct facts *facts = view->facts;
    const struct brake *brake =
        brake_find(view->brakes, facts, view->directory, view->now_ms);
    if (facts->relay) {
        *out = verdict_of(ACTION_ACCEPT, CAUSE_RELAY, NULL);
    } else if (view->notice) {
        *out = verdict_of(ACTION_ACCEPT, CAUSE_NOTICE, NULL);
    } else if (facts->hold_headers > JUDGE_HOLD_HEADERS_MAX) {
        *out = judge_forged(facts->hold_headers);
    } else if (facts->guessed) {
        *out = judge_doubt(facts, CAUSE_DOUBT);
    } else if (brake != NULL) {
        *out = verdict_of(settle_local(facts, brake->action), CAUSE_BRAKE, NULL);
        out->brake = brake;
    } else if (facts->unknown) {
        enum action action = settle_local(facts, view->policy->lists_unknown);
        *out = verdict_of(action, CAUSE_UNKNOWN, NULL);
    } else if (facts->grown != NULL && view->policy->lists_grown != ACTION_ACCEPT) {
        enum action action = settle_local(facts, view->policy->lists_grown);
        *out = verdict_of(action, CAUSE_GROWN, NULL);
        out->grown = facts->grown;
    } else {
        return false;
    }
    return true;
}

/* The most that a charge can cost and still have room, with a full bucket; for a window,
 * one without a past. */
static int64_t whole_of(const struct charge *charge)
{
    return charge->rate != NULL ? charge->rate->burst : charge->surge->floor;
}

/* Without an answer of the store a bucket counts as full, and a window as large enough.
 */
static struct charge_outcome outcome_of(const struct plan *plan, size_t i,
                                        const struct charge_outcome *outcomes)
{
    if (outcomes != NULL)
        return outcomes[i];
    const struct charge *charge = &plan->charges[i];
    int64_t whole = whole_of(charge);
    return (struct charge_outcome){.left = whole,
                                   .burst = whole,
                                   .fits = charge->rate == NULL || charge->cost <= whole};
}

/* No refill can make room for it. */
static bool can_never_pass(const struct charge *charge)
{
    return charge->rate != NULL && charge->cost > charge->rate->burst;
}

static void take_firing(const struct charge *charge, struct charge_outcome outcome,
                        struct verdict *verdict)
{
    verdict->cause = outcome.latch_ms > 0 ? CAUSE_LATCH : CAUSE_LIMIT;
    verdict->charge = charge;
    verdict->outcome = outcome;
    if (verdict->first == NULL)
        verdict->first = charge;
}

/* The first of a step's charges that fires; under defer rather the first that can never
 * pass, as trying again can't help then. False when all have room. What only watches
 * though its rule does not is let pass by an administrator. */
static bool find_firing(const struct plan *plan, const struct plan_step *step,
                        const struct charge_outcome *outcomes, struct verdict *verdict)
{
    for (size_t i = step->charge; i < step->charge + step->charge_count; i++) {
        const struct charge *charge = &plan->charges[i];
        struct charge_outcome outcome = outcome_of(plan, i, outcomes);
        bool asked = !charge->monitor || step->rule->monitor;
        if (!asked || !charge_outcome_fires(&outcome))
            continue;
        bool never = step->rule->action == ACTION_DEFER && can_never_pass(charge);
        if (verdict->first == NULL || never)
            take_firing(charge, outcome, verdict);
        if (never)
            break;
    }
    return verdict->first != NULL;
}

/* Whether a step fires, and with what. */
static bool step_fires(const struct view *view, const struct plan *plan,
                       const struct plan_step *step,
                       const struct charge_outcome *outcomes, struct verdict *out)
{
    const struct rule *rule = step->rule;
    struct verdict verdict = verdict_of(rule->action, CAUSE_RULE, rule);
    verdict.value = view->facts->measures[MEASURE_REACH];
    verdict.used_up = step->confirmed != NULL;
    if (step->confirmed == NULL && !rule_is_metered(rule)) {
        for (size_t i = MEASURE_COUNT; i-- > 0;) {
            if (rule->over[i] < 0)
                continue;
            verdict.measure = (enum measure)i;
            verdict.over = rule->over[i];
            verdict.value = view->facts->measures[i];
        }
    } else if (step->lists > PLAN_LIST_BUCKETS_MAX) {
        verdict.cause = CAUSE_TOO_MANY;
        verdict.value = (int64_t)step->lists;
        verdict.over = PLAN_LIST_BUCKETS_MAX;
    } else if (!find_firing(plan, step, outcomes, &verdict)) {
        return false;
    }
    *out = verdict;
    return true;
}

/* Whoever may be told proves an identity, and can answer by it. */
static bool can_confirm(const struct view *view)
{
    const struct confirm_settings *confirm = &view->policy->confirm;
    return confirm->address != NULL && confirm->address[0] != '\0' &&
           view->facts->measures[MEASURE_REACH] <= confirm->max_reach &&
           match_may_tell(view);
}

/* True when only the share of this relay is too small. */
static bool is_share_short(const struct verdict *verdict, enum charge_source source)
{
    const struct charge *charge = verdict->charge;
    if (verdict->cause != CAUSE_LIMIT || source != CHARGE_SOURCE_LOCAL || charge == NULL)
        return false;
    if (charge->clients)
        return charge->cost <= verdict->outcome.whole;
    bool over = charge->cost > whole_of(charge) && charge->cost > verdict->outcome.whole;
    return !over && charge->cost > verdict->outcome.burst;
}

/* What the rule's action means for this message. */
static void settle(const struct view *view, enum charge_source source,
                   struct verdict *verdict)
{
    const struct charge *charge = verdict->charge;
    if (is_share_short(verdict, source)) {
        put_off(view->facts, verdict); /* with the whole limit it could have passed */
        return;
    }
    if (verdict->action == ACTION_DEFER && charge != NULL && can_never_pass(charge))
        verdict->action = ACTION_REJECT;
    if (verdict->action == ACTION_CONFIRM) {
        verdict->action = ACTION_QUARANTINE;
        verdict->confirm = can_confirm(view);
    }
    verdict->action = settle_local(view->facts, verdict->action);
}

/* The first permit with room; else the first of all, as the one that was exceeded. */
static void find_permit(const struct plan *plan, const struct charge_outcome *outcomes,
                        struct verdict *verdict)
{
    for (size_t i = 0; i < plan->permit_count; i++) {
        struct charge_outcome outcome = outcome_of(plan, i, outcomes);
        if (i > 0 && !outcome.fits)
            continue;
        verdict->permit = plan->permits[i];
        verdict->permit_left = outcome.left;
        if (!outcome.fits)
            continue;
        verdict->cause = CAUSE_PERMIT;
        break;
    }
}

void judge(const struct view *view, struct plan *plan,
           const struct charge_outcome *outcomes, enum charge_source source,
           struct verdict *out)
{
    struct verdict verdict = verdict_of(ACTION_ACCEPT, CAUSE_NONE, NULL);
    find_permit(plan, outcomes, &verdict);
    for (size_t i = 0; i < plan->step_count; i++) {
        struct plan_step *step = &plan->steps[i];
        struct verdict fired;
        step->fires = verdict.cause != CAUSE_PERMIT &&
                      step_fires(view, plan, step, outcomes, &fired);
        if (!step->fires)
            continue;
        settle(view, source, &fired);
        step->action = fired.action;
        step->measure = fired.measure;
        step->over = fired.over;
        step->fired = fired.charge;
        step->first = fired.first;
        step->outcome = fired.outcome;
        if (!step->rule->monitor) {
            fired.permit = verdict.permit;
            fired.permit_left = verdict.permit_left;
            verdict = fired;
            break;
        }
    }
    *out = verdict;
}

struct verdict judge_would(const struct plan_step *step)
{
    struct verdict would = verdict_of(ACTION_ACCEPT, CAUSE_RULE, step->rule);
    if (!step->fires || !step->rule->monitor)
        return would;
    if (step->lists > PLAN_LIST_BUCKETS_MAX)
        would.cause = CAUSE_TOO_MANY;
    would.action = step->action;
    would.measure = step->measure;
    would.over = step->over;
    would.charge = step->fired;
    would.outcome = step->outcome;
    would.first = step->first;
    return would;
}
