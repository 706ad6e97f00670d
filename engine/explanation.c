/* Judges as the daemon does, and says for each rule why it did or did not decide. */
#include "engine/explanation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void say_over(const struct rule *rule, const struct facts *facts, bool holds,
                     struct text *why)
{
    const char *joint = "";
    for (size_t i = 0; i < MEASURE_COUNT; i++) {
        bool over = facts->measures[i] > rule->over[i];
        if (rule->over[i] < 0 || over != holds)
            continue;
        text_printf(why, "%s%s %lld is %sover %lld", joint, measure_name((enum measure)i),
                    (long long)facts->measures[i], holds ? "" : "not ",
                    (long long)rule->over[i]);
        joint = ", ";
    }
}

static void say_skipped(const struct rule *rule, const struct facts *facts,
                        enum condition condition, struct text *why)
{
    switch (condition) {
    case CONDITION_FROM:
        text_add_string(why, "the sender is not in from");
        break;
    case CONDITION_FROM_NOT:
        text_add_string(why, "the sender is in from_not");
        break;
    case CONDITION_TO:
        text_add_string(why, rule->action == ACTION_ACCEPT
                                 ? "not every recipient is in to"
                                 : "no recipient is in to");
        break;
    case CONDITION_TO_NOT:
        text_add_string(why, "a recipient is in to_not");
        break;
    case CONDITION_HOURS:
        text_add_string(why, "it is outside hours");
        break;
    case CONDITION_HOURS_NOT:
        text_add_string(why, "it is within hours_not");
        break;
    case CONDITION_ORIGIN:
        text_printf(why, "the origin is %s",
                    facts->origin == ORIGIN_LOCAL ? "local" : "smtp");
        break;
    case CONDITION_REPLY:
        text_printf(why, "it is %s reply", facts->reply ? "a" : "no");
        break;
    case CONDITION_AUTOMATIC:
        text_printf(why, "it is %s", facts->automatic ? "automatic" : "not automatic");
        break;
    case CONDITION_OVER:
        say_over(rule, facts, false, why);
        break;
    case CONDITION_KEY:
        text_printf(why, "the message has no %s", key_name(rule->key));
        break;
    case CONDITION_ALLOWED:
        text_add_string(why, "an administrator lets it pass this rule for a while");
        break;
    case CONDITION_NONE:
        break;
    }
}

static void say_charges(const struct explanation *explanation, const struct step *step,
                        struct text *why)
{
    const struct plan *plan = &explanation->plan;
    if (step->lists > PLAN_LIST_BUCKETS_MAX) {
        text_printf(why, "%zu lists in one message, at most %d are counted", step->lists,
                    PLAN_LIST_BUCKETS_MAX);
        return;
    }
    for (size_t i = step->charge; i < step->charge + step->charge_count; i++) {
        if (i > step->charge)
            text_add_string(why, ", ");
        limit_view_say(&plan->charges[i],
                       explanation->views == NULL ? NULL : &explanation->views[i], why);
    }
}

static void say_monitor(const struct step *step, struct text *why)
{
    text_add_string(why, " (mode monitor: ");
    if (step->action != step->rule->action)
        text_printf(why, "would %s, ", action_name(step->action));
    text_add_string(why, "decides nothing)");
}

static void say_matched(const struct explanation *explanation, const struct step *step,
                        struct text *why)
{
    if (rule_is_metered(step->rule))
        say_charges(explanation, step, why);
    else
        say_over(step->rule, &explanation->facts, true, why);
    if (why->length == 0)
        text_add_string(why, "its conditions hold");
    if (step->fires && step->rule->monitor)
        say_monitor(step, why);
}

/* A rule's step in the plan; NULL when it did not match. */
static const struct step *find_step(const struct plan *plan, const struct rule *rule)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].rule == rule)
            return &plan->steps[i];
    }
    return NULL;
}

static void explain_rules(struct explanation *explanation)
{
    const struct policy *policy = explanation->view.policy;
    const struct plan *plan = &explanation->plan;
    const struct rule *decided = NULL;
    assert(policy->rule_count == 0 || policy->rules != NULL);
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct explained_rule *explained = &explanation->rules[i];
        const struct rule *rule = &policy->rules[i];
        const struct step *step = find_step(plan, rule);
        explained->rule = rule;
        if (explanation->verdict.cause == CAUSE_BRAKE) {
            text_add_string(&explained->why, "a brake decides before all rules");
        } else if (decided != NULL) {
            text_printf(&explained->why, "%s decides above", decided->name);
        } else if (i >= plan->rules_walked) {
            text_add_string(&explained->why, "no rule is asked");
        } else if (step == NULL) {
            say_skipped(rule, &explanation->facts, plan->conditions[i], &explained->why);
        } else {
            explained->state = step->fires ? RULE_FIRES : RULE_MATCHED;
            say_matched(explanation, step, &explained->why);
        }
        if (explanation->verdict.rule == rule)
            decided = rule;
    }
}

/* Asks the store; without an answer the buckets are shown as full. */
static void read_meters(const struct explanation_live *live, struct explanation *out)
{
    size_t count = out->plan.charge_count;
    struct limit_view *views = calloc(count + 1, sizeof *views);
    if (views == NULL || count == 0 ||
        limit_view_read(live->store, out->plan.charges, count, live->deadline_us, views,
                        &out->source) != STATUS_OK) {
        free(views);
        return;
    }
    out->views = views;
}

/* As the daemon does, with what was read. */
static enum status judge_plan(const struct explanation_live *live,
                              struct explanation *out)
{
    struct charge_outcome *outcomes = NULL;
    bool asked = live != NULL && out->plan.charge_count > 0;
    if (asked && out->views == NULL && live->on_failure != ON_FAILURE_ACCEPT) {
        out->verdict = judge_doubt(out->view.facts, CAUSE_STORE);
        return STATUS_OK;
    }
    if (out->views != NULL) {
        outcomes = calloc(out->plan.charge_count, sizeof *outcomes);
        if (outcomes == NULL)
            return STATUS_NOMEM;
        for (size_t i = 0; i < out->plan.charge_count; i++)
            outcomes[i] = out->views[i].outcome;
    }
    judge(&out->view, &out->plan, outcomes, out->source, &out->verdict);
    free(outcomes);
    return STATUS_OK;
}

bool explanation_only_watches(const struct explanation *explanation)
{
    return explanation->view.policy->monitor && explanation->verdict.cause != CAUSE_BRAKE;
}

static enum status judge_rules(const struct explanation_live *live,
                               struct explanation *out)
{
    if (!judge_early(&out->view, &out->verdict)) {
        enum status status = plan_make(&out->view, &out->plan);
        if (status != STATUS_OK)
            return status;
        if (live != NULL)
            read_meters(live, out);
        status = judge_plan(live, out);
        if (status != STATUS_OK)
            return status;
    }
    struct verdict told = out->verdict;
    if (explanation_only_watches(out))
        told.action = ACTION_ACCEPT;
    reply_make(&told, NULL, &out->reply);
    return STATUS_OK;
}

/* As the milter has it: Sendmail's sendmail(1) hands its mail in by SMTP from here. */
static bool is_handed_in(const struct snapshot *snapshot, const char *client)
{
    static const uint8_t ipv4[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    static const uint8_t ipv6[16] = {[15] = 1};
    uint8_t address[16];
    return snapshot->settings->mta.type == MTA_SENDMAIL && client != NULL &&
           network_parse_address(client, address) &&
           (memcmp(address, ipv4, sizeof ipv4) == 0 ||
            memcmp(address, ipv6, sizeof ipv6) == 0);
}

/* Who has logged in writes as himself, if nothing else is said. */
static enum status gather(const struct snapshot *snapshot,
                          const struct envelope *envelope, struct facts *out)
{
    const struct policy *policy = &snapshot->settings->policy;
    struct envelope asked = *envelope;
    struct address login;
    enum status status =
        login_parse(envelope->login, &policy->logins, &policy->domains, &login);
    if (status != STATUS_OK)
        return status;
    asked.local = asked.local || is_handed_in(snapshot, asked.client);
    if (asked.sender == NULL && login.length > 0)
        asked.sender = login.text;
    return facts_gather(&asked, policy, snapshot->directory, out);
}

enum status explanation_make_live(const struct snapshot *snapshot,
                                  const struct envelope *envelope, int minute_of_week,
                                  const struct explanation_live *live,
                                  struct explanation *out)
{
    const struct policy *policy = &snapshot->settings->policy;
    *out = (struct explanation){.live = live != NULL};
    enum status status = gather(snapshot, envelope, &out->facts);
    if (status != STATUS_OK)
        return status;
    if (live != NULL)
        conversations_join(live->conversations, &out->facts);
    out->view = (struct view){
        .policy = policy,
        .directory = snapshot->directory,
        .facts = &out->facts,
        .minute_of_week = minute_of_week,
        .brakes = live == NULL ? NULL : live->brakes,
        .now_ms = live == NULL ? 0 : live->now_ms,
        .key = live == NULL ? NULL : live->key,
    };
    out->rules = calloc(policy->rule_count + 1, sizeof *out->rules);
    status = out->rules == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK)
        status = judge_rules(live, out);
    if (status != STATUS_OK) {
        explanation_clear(out);
        return status;
    }
    explain_rules(out);
    return STATUS_OK;
}

enum status explanation_make(const struct snapshot *snapshot,
                             const struct envelope *envelope, int minute_of_week,
                             struct explanation *out)
{
    return explanation_make_live(snapshot, envelope, minute_of_week, NULL, out);
}

void explanation_clear(struct explanation *explanation)
{
    const struct policy *policy = explanation->view.policy;
    for (size_t i = 0; explanation->rules != NULL && i < policy->rule_count; i++)
        text_clear(&explanation->rules[i].why);
    free(explanation->rules);
    free(explanation->views);
    plan_clear(&explanation->plan);
    facts_clear(&explanation->facts);
    *explanation = (struct explanation){0};
}

const char *explanation_verdict(const struct explanation *explanation)
{
    if (explanation_only_watches(explanation))
        return action_name(ACTION_ACCEPT);
    return action_name(explanation->verdict.action);
}

const char *rule_state_name(enum rule_state state)
{
    static const char *const names[] = {"skipped", "matched", "fires"};
    return names[state];
}
