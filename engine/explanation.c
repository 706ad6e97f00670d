/* Judges as live mail is judged, and says of each rule why it did or didn't decide. */
#include "engine/explanation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip_address.h"

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

static void say_charges(const struct explanation *explanation,
                        const struct plan_step *step, struct text *why)
{
    const struct plan *plan = &explanation->judgement.plan;
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

static void say_monitor(const struct plan_step *step, struct text *why)
{
    text_add_string(why, " (mode monitor: ");
    if (step->action != step->rule->action)
        text_printf(why, "would %s, ", action_name(step->action));
    text_add_string(why, "decides nothing)");
}

static void say_matched(const struct explanation *explanation,
                        const struct plan_step *step, struct text *why)
{
    if (step->confirmed != NULL)
        text_add_string(why, "its sender confirmed, which lets it pass this rule: ");
    if (step->confirmed != NULL || rule_is_metered(step->rule))
        say_charges(explanation, step, why);
    else
        say_over(step->rule, &explanation->judgement.facts, true, why);
    if (why->length == 0)
        text_add_string(why, "its conditions hold");
    if (step->fires && step->rule->monitor)
        say_monitor(step, why);
}

/* A rule's step in the plan; NULL when it did not match. */
static const struct plan_step *find_step(const struct plan *plan, const struct rule *rule)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].rule == rule)
            return &plan->steps[i];
    }
    return NULL;
}

/* Why no rule is asked. */
static void say_early(const struct verdict *verdict, struct text *why)
{
    if (verdict->cause == CAUSE_BRAKE) {
        text_add_string(why, "a brake decides before all rules");
    } else if (verdict->cause == CAUSE_PERMIT) {
        text_add_string(why, "a permit decides before all rules");
    } else if (verdict->cause == CAUSE_GROWN) {
        text_add_escaped(why, verdict->grown->address, strlen(verdict->grown->address),
                         ADDRESS_SIZE);
        text_add_string(why, " has grown from ");
        text_add_grouped(why, verdict->grown->was);
        text_add_string(why, " to ");
        text_add_grouped(why, verdict->grown->size);
        text_add_string(why, ", not accepted");
    }
}

static void explain_rules(struct explanation *explanation)
{
    const struct policy *policy = explanation->judgement.view.policy;
    const struct plan *plan = &explanation->judgement.plan;
    const struct rule *decided = NULL;
    assert(policy->rule_count == 0 || policy->rules != NULL);
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct explained_rule *explained = &explanation->rules[i];
        const struct rule *rule = &policy->rules[i];
        const struct plan_step *step = find_step(plan, rule);
        explained->rule = rule;
        say_early(&explanation->judgement.verdict, &explained->why);
        if (explained->why.length > 0)
            continue;
        if (decided != NULL) {
            text_printf(&explained->why, "%s decides above", decided->name);
        } else if (i >= plan->rules_walked) {
            text_add_string(&explained->why, "no rule is asked");
        } else if (step == NULL) {
            say_skipped(rule, &explanation->judgement.facts, plan->conditions[i],
                        &explained->why);
        } else {
            explained->state = step->fires ? RULE_FIRES : RULE_MATCHED;
            say_matched(explanation, step, &explained->why);
        }
        if (explanation->judgement.verdict.rule == rule)
            decided = rule;
    }
}

struct explained_store {
    struct store *store;
    int64_t deadline_us;
    struct limit_view *views; /* of what it answered; NULL: nothing */
};

/* Looks at the buckets, and leaves them as they are. */
static enum status look(void *context, const struct plan *plan, int64_t now_ms,
                        struct charge_outcome *out_outcomes,
                        enum charge_source *out_source)
{
    struct explained_store *explained = context;
    (void)now_ms; /* the store has a clock of its own */
    struct limit_view *views = calloc(plan->charge_count, sizeof *views);
    if (views == NULL)
        return STATUS_NOMEM;
    enum status status =
        limit_view_read(explained->store, plan->charges, plan->charge_count,
                        explained->deadline_us, views, out_source);
    if (status != STATUS_OK) {
        free(views);
        return status;
    }
    for (size_t i = 0; i < plan->charge_count; i++)
        out_outcomes[i] = views[i].outcome;
    free(explained->views); /* of a plan that was thrown away */
    explained->views = views;
    return STATUS_OK;
}

/* As in the milter: Sendmail's sendmail(1) submits its mail by SMTP from these addresses.
 */
static bool is_handed_in(const struct snapshot *snapshot, const char *client)
{
    static const uint8_t ipv4[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    static const uint8_t ipv6[16] = {[15] = 1};
    uint8_t address[16];
    return snapshot->settings->mta.type == MTA_SENDMAIL && client != NULL &&
           ip_address_parse(client, address) &&
           (memcmp(address, ipv4, sizeof ipv4) == 0 ||
            memcmp(address, ipv6, sizeof ipv6) == 0);
}

/* Makes the envelope what the milter would collect. Without a sender, whoever logged in
 * writes as himself. */
static void complete(const struct snapshot *snapshot, struct address *login,
                     struct envelope *envelope)
{
    const struct policy *policy = &snapshot->settings->policy;
    envelope->local = envelope->local || is_handed_in(snapshot, envelope->client);
    engine_find_own_headers(envelope);
    if (envelope->sender == NULL &&
        login_parse(envelope->login, &policy->logins, &policy->domains, login) ==
            STATUS_OK &&
        login->length > 0)
        envelope->sender = login->text;
}

enum status explanation_make(const struct engine_input *input, struct store *store,
                             int64_t deadline_us, struct explanation *out)
{
    struct address login;
    struct envelope envelope = *input->envelope;
    struct engine_input completed = *input;
    struct explained_store explained = {.store = store, .deadline_us = deadline_us};
    const struct charger charger = {look, &explained};
    complete(input->snapshot, &login, &envelope);
    completed.envelope = &envelope;
    *out = (struct explanation){.live = store != NULL};
    engine_judge(&completed, store == NULL ? NULL : &charger, &out->judgement);
    out->views = explained.views;
    out->reported = judgement_reported(&out->judgement);
    reply_make(&out->reported, NULL, &out->reply);
    out->rules =
        calloc(input->snapshot->settings->policy.rule_count + 1, sizeof *out->rules);
    if (out->rules == NULL || out->judgement.status == STATUS_NOMEM) {
        explanation_clear(out);
        return STATUS_NOMEM;
    }
    explain_rules(out);
    return STATUS_OK;
}

void explanation_clear(struct explanation *explanation)
{
    const struct policy *policy = explanation->judgement.view.policy;
    for (size_t i = 0; explanation->rules != NULL && i < policy->rule_count; i++)
        text_clear(&explanation->rules[i].why);
    free(explanation->rules);
    free(explanation->views);
    judgement_clear(&explanation->judgement);
    *explanation = (struct explanation){0};
}

const char *rule_state_name(enum rule_state state)
{
    static const char *const names[] = {"skipped", "matched", "fires"};
    return names[state];
}
