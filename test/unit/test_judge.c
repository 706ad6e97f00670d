/* From what the store found of buckets to a verdict, and what is decided before the
 * rules. */
#include "judge_fixture.h"
#include "run.h"

START_TEST(judge_nothing_fires_accepts)
{
    (void)limit_add("limit", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    plan_for("x@own");
    found(0, 1);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
    ck_assert(!verdict.temporary);
    ck_assert_int_eq(verdict.over, -1);
    ck_assert(!plan.steps[0].fires);
}
END_TEST

START_TEST(judge_first_that_fires_wins)
{
    struct rule *a = limit_add("a", ACTION_DEFER, KEY_ALL, UNIT_MESSAGES, 9);
    struct rule *b = limit_add("b", ACTION_QUARANTINE, KEY_SENDER, UNIT_MESSAGES, 8);
    struct rule *c = rule_add("c", ACTION_REJECT);
    plan_for("x@own");
    found(0, 0);
    found(1, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_DEFER, CAUSE_LIMIT, a);
    ck_assert_ptr_eq(verdict.charge, &plan.charges[0]);
    ck_assert(plan.steps[0].fires);
    ck_assert(!plan.steps[1].fires);
    found(0, 1);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_QUARANTINE, CAUSE_LIMIT, b);
    ck_assert_int_eq(verdict.outcome.burst, 8);
    found(1, 1);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_RULE, c);
    ck_assert_ptr_null(verdict.charge);
    ck_assert(plan.steps[2].fires);
}
END_TEST

START_TEST(judge_accepting_rule_is_named)
{
    struct rule *accept = rule_add("accept", ACTION_ACCEPT);
    plan_for("x@own");
    judge_by(CHARGE_SOURCE_NONE);
    expect(ACTION_ACCEPT, CAUSE_RULE, accept);
}
END_TEST

START_TEST(judge_monitor_rules_fire_and_decide_nothing)
{
    struct rule *limit = limit_add("limit", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    struct rule *match = rule_add("match", ACTION_QUARANTINE);
    struct rule *last = rule_add("last", ACTION_REJECT);
    limit->monitor = match->monitor = true;
    plan_for("x@own");
    found(0, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_RULE, last);
    ck_assert(plan.steps[0].fires);
    ck_assert(plan.steps[1].fires);
    found(0, 1);
    judge_by(CHARGE_SOURCE_REDIS);
    ck_assert(!plan.steps[0].fires);

    last->monitor = true;
    plan_for("x@own");
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
}
END_TEST

START_TEST(judge_monitor_rule_below_is_not_asked)
{
    struct rule *reject = rule_add("reject", ACTION_REJECT);
    rule_add("watch", ACTION_REJECT)->monitor = true;
    plan_for("x@own");
    judge_by(CHARGE_SOURCE_NONE);
    expect(ACTION_REJECT, CAUSE_RULE, reject);
    ck_assert_uint_eq(plan.step_count, 1);
}
END_TEST

START_TEST(judge_says_the_first_measure)
{
    struct rule *rule = rule_add("r", ACTION_REJECT);
    plan_for("five@own q@else");
    judge_by(CHARGE_SOURCE_NONE);
    ck_assert_int_eq(verdict.over, -1);
    ck_assert_int_eq(verdict.value, 6);
    rule->over[MEASURE_EXTERNAL] = 0;
    plan_for("five@own q@else");
    judge_by(CHARGE_SOURCE_NONE);
    ck_assert_int_eq(verdict.measure, MEASURE_EXTERNAL);
    ck_assert_int_eq(verdict.over, 0);
    ck_assert_int_eq(verdict.value, 1);
    rule->over[MEASURE_REACH] = 5;
    plan_for("five@own q@else");
    judge_by(CHARGE_SOURCE_NONE);
    ck_assert_int_eq(verdict.measure, MEASURE_REACH);
    ck_assert_int_eq(verdict.over, 5);
    ck_assert_int_eq(verdict.value, 6);
}
END_TEST

START_TEST(judge_first_short_list_is_named)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 9);
    plan_for("five@own three@own");
    found(0, 5);
    found(1, 2);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LIMIT, rule);
    ck_assert_str_eq(verdict.charge->subject, "list:three@own");
    ck_assert_int_eq(verdict.outcome.left, 2);
    found(0, 4);
    judge_by(CHARGE_SOURCE_REDIS);
    ck_assert_str_eq(verdict.charge->subject, "list:five@own");
}
END_TEST

START_TEST(judge_too_many_lists_fire_unasked)
{
    struct rule *rule = limit_add("r", ACTION_DEFER, KEY_LIST, UNIT_RECIPIENTS, 9);
    plan_for("five@own");
    plan.steps[0].lists = PLAN_LIST_BUCKETS_MAX + 1;
    plan.steps[0].charge_count = 0;
    judge(&view, &plan, NULL, CHARGE_SOURCE_NONE, &verdict);
    expect(ACTION_DEFER, CAUSE_TOO_MANY, rule);
    ck_assert_int_eq(verdict.value, PLAN_LIST_BUCKETS_MAX + 1);
    ck_assert_int_eq(verdict.over, PLAN_LIST_BUCKETS_MAX);
    ck_assert_ptr_null(verdict.charge);
}
END_TEST

/* ---- what an action means ---- */

static const struct {
    enum action action;
    bool local; /* origin */
    enum charge_source source;
    int64_t burst, share, left; /* of a message that costs 5 */
    enum action becomes;
    bool temporary;
} settlements[] = {
    /* short today */
    {ACTION_REJECT, false, CHARGE_SOURCE_REDIS, 9, 9, 4, ACTION_REJECT, false},
    {ACTION_DEFER, false, CHARGE_SOURCE_REDIS, 9, 9, 4, ACTION_DEFER, false},
    {ACTION_QUARANTINE, false, CHARGE_SOURCE_MEMORY, 9, 9, 4, ACTION_QUARANTINE, false},
    {ACTION_DEFER, true, CHARGE_SOURCE_REDIS, 9, 9, 4, ACTION_QUARANTINE, false},
    {ACTION_REJECT, true, CHARGE_SOURCE_REDIS, 9, 9, 4, ACTION_REJECT, false},
    /* the cost is the whole bucket: it could pass */
    {ACTION_DEFER, false, CHARGE_SOURCE_REDIS, 5, 5, 4, ACTION_DEFER, false},
    /* it never can */
    {ACTION_DEFER, false, CHARGE_SOURCE_REDIS, 4, 4, 4, ACTION_REJECT, false},
    {ACTION_DEFER, true, CHARGE_SOURCE_REDIS, 4, 4, 4, ACTION_REJECT, false},
    {ACTION_REJECT, false, CHARGE_SOURCE_REDIS, 4, 4, 4, ACTION_REJECT, false},
    {ACTION_QUARANTINE, false, CHARGE_SOURCE_REDIS, 4, 4, 4, ACTION_QUARANTINE, false},
    /* the local share is short today */
    {ACTION_DEFER, false, CHARGE_SOURCE_LOCAL, 9, 5, 4, ACTION_DEFER, false},
    {ACTION_REJECT, false, CHARGE_SOURCE_LOCAL, 9, 5, 4, ACTION_REJECT, false},
    {ACTION_DEFER, true, CHARGE_SOURCE_LOCAL, 9, 5, 4, ACTION_QUARANTINE, false},
    /* the share alone is too small */
    {ACTION_DEFER, false, CHARGE_SOURCE_LOCAL, 9, 4, 4, ACTION_DEFER, true},
    {ACTION_REJECT, false, CHARGE_SOURCE_LOCAL, 9, 4, 4, ACTION_DEFER, true},
    {ACTION_QUARANTINE, false, CHARGE_SOURCE_LOCAL, 5, 1, 1, ACTION_DEFER, true},
    {ACTION_REJECT, true, CHARGE_SOURCE_LOCAL, 9, 4, 4, ACTION_QUARANTINE, false},
    /* with all shares together it could not pass either */
    {ACTION_DEFER, false, CHARGE_SOURCE_LOCAL, 4, 2, 2, ACTION_REJECT, false},
    {ACTION_QUARANTINE, false, CHARGE_SOURCE_LOCAL, 4, 2, 2, ACTION_QUARANTINE, false},
};

START_TEST(judge_settles_the_action)
{
    struct rule *rule = limit_add("r", settlements[_i].action, KEY_ALL, UNIT_RECIPIENTS,
                                  settlements[_i].burst);
    envelope.local = settlements[_i].local;
    plan_for("five@own");
    found_share(0, settlements[_i].left, settlements[_i].share);
    judge_by(settlements[_i].source);
    expect(settlements[_i].becomes, CAUSE_LIMIT, rule);
    ck_assert_int_eq(verdict.temporary, settlements[_i].temporary);
}
END_TEST

START_TEST(judge_local_defer_by_matching_is_a_hold)
{
    struct rule *rule = rule_add("r", ACTION_DEFER);
    rule->over[MEASURE_REACH] = 2;
    envelope.local = true;
    plan_for("five@own");
    judge_by(CHARGE_SOURCE_NONE);
    expect(ACTION_QUARANTINE, CAUSE_RULE, rule);
    envelope.local = false;
    plan_for("five@own");
    judge_by(CHARGE_SOURCE_NONE);
    expect(ACTION_DEFER, CAUSE_RULE, rule);
}
END_TEST

START_TEST(judge_without_outcomes_buckets_are_full)
{
    struct rule *small = limit_add("small", ACTION_DEFER, KEY_ALL, UNIT_RECIPIENTS, 5);
    struct rule *tiny = limit_add("tiny", ACTION_DEFER, KEY_SENDER, UNIT_RECIPIENTS, 2);
    plan_for("x@own");
    judge(&view, &plan, NULL, CHARGE_SOURCE_NONE, &verdict);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
    plan_for("three@own");
    judge(&view, &plan, NULL, CHARGE_SOURCE_NONE, &verdict);
    expect(ACTION_REJECT, CAUSE_LIMIT, tiny); /* never fits */
    ck_assert_int_eq(verdict.outcome.left, 2);
    ck_assert_int_eq(verdict.outcome.burst, 2);
    plan_for("five@own x@own");
    judge(&view, &plan, NULL, CHARGE_SOURCE_NONE, &verdict);
    expect(ACTION_REJECT, CAUSE_LIMIT, small);
}
END_TEST

static bool asks(const char *login, const char *sender, const char *client)
{
    envelope.login = login;
    envelope.sender = sender;
    envelope.client = client;
    plan_for("five@own");
    judge_by(CHARGE_SOURCE_NONE);
    ck_assert_int_eq(verdict.action, ACTION_QUARANTINE);
    return verdict.confirm;
}

START_TEST(judge_asks_who_can_be_told_and_proves_who_he_is)
{
    char address[] = "confirm@own";
    (void)rule_add("ask", ACTION_CONFIRM);
    policy.confirm = (struct confirm_settings){.address = address, .max_reach = 5};
    ck_assert(asks("ann", "ann@own", "203.0.113.9"));
    ck_assert(asks(NULL, "ann@own", "10.0.0.1"));
    ck_assert(!asks(NULL, "ann@own", "203.0.113.9"));  /* forged */
    ck_assert(!asks(NULL, "ann@else", "10.0.0.1"));    /* not ours */
    ck_assert(!asks("ann", "bob@own", "203.0.113.9")); /* bob would be written to */
    ck_assert(!asks("ann", "<>", "203.0.113.9"));
    ck_assert(!asks(NULL, "<>", "10.0.0.1"));
    ck_assert(!asks(NULL, "three@own", "10.0.0.1")); /* a list */
    policy.confirm.max_reach = 4;
    ck_assert(!asks("ann", "ann@own", "203.0.113.9"));
    policy.confirm.max_reach = 5;
    address[0] = '\0';
    ck_assert(!asks("ann", "ann@own", "203.0.113.9"));
    policy.confirm.address = NULL;
    ck_assert(!asks("ann", "ann@own", "203.0.113.9"));
}
END_TEST

START_TEST(judge_says_that_confirmed_copies_are_used_up)
{
    struct rule *rule = rule_add("ask", ACTION_CONFIRM);
    char id[] = "0011", by[] = "login:ann@own";
    struct allowance allowance = brakes_borrow_allowance(rule->fingerprint, by, 1);
    struct brakes brakes = {.allowances = &allowance, .allowance_count = 1};
    allowance.id = id;
    allowance.by = by;
    allowance.rate = permit_rate(10, 0, 1);
    view.brakes = &brakes;
    envelope.login = "ann";
    plan_for("five@own");
    found(0, 5);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
    found(0, 4);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_QUARANTINE, CAUSE_LIMIT, rule);
    ck_assert(verdict.used_up);
    view.used_up = true;
    plan_for("five@own");
    judge_by(CHARGE_SOURCE_NONE);
    expect(ACTION_QUARANTINE, CAUSE_RULE, rule);
    ck_assert(!verdict.used_up);
}
END_TEST

/* ---- before the rules ---- */

START_TEST(judge_early_unknown_lists)
{
    static const enum action actions[] = {ACTION_DEFER, ACTION_REJECT, ACTION_QUARANTINE,
                                          ACTION_ACCEPT};
    to("x@own lost+t@own");
    gather();
    for (size_t i = 0; i < 4; i++) {
        policy.lists_unknown = actions[i];
        ck_assert(judge_early(&view, &verdict));
        expect(actions[i], CAUSE_UNKNOWN, NULL);
        ck_assert(!verdict.temporary);
    }
    to("x@own");
    gather();
    verdict.cause = CAUSE_DOUBT;
    ck_assert(!judge_early(&view, &verdict));
    ck_assert_int_eq(verdict.cause, CAUSE_DOUBT); /* nothing is written */
}
END_TEST

START_TEST(judge_early_grown_lists)
{
    static const enum action actions[] = {ACTION_DEFER, ACTION_REJECT, ACTION_QUARANTINE};
    static const struct list list = {.was = 40, .size = 850000, .state = LIST_GROWN};
    struct facts grown;
    to("x@own");
    gather();
    grown = *view.facts;
    grown.grown = &list;
    view.facts = &grown;
    for (size_t i = 0; i < 3; i++) {
        policy.lists_grown = actions[i];
        ck_assert(judge_early(&view, &verdict));
        expect(actions[i], CAUSE_GROWN, NULL);
        ck_assert_ptr_eq(verdict.grown, &list);
        ck_assert_str_eq(judge_decider(&verdict), "lists_grown");
    }
    grown.unknown = true;
    ck_assert(judge_early(&view, &verdict));
    ck_assert_int_eq(verdict.cause, CAUSE_UNKNOWN);
    grown.unknown = false;
    policy.lists_grown = ACTION_ACCEPT; /* the rules decide */
    ck_assert(!judge_early(&view, &verdict));
}
END_TEST

START_TEST(judge_early_relays_go_first)
{
    policy.lists_unknown = ACTION_REJECT;
    envelope.client = "10.9.9.9";
    to("lost@own");
    gather();
    ck_assert(judge_early(&view, &verdict));
    expect(ACTION_ACCEPT, CAUSE_RELAY, NULL);
}
END_TEST

START_TEST(judge_doubt_is_temporary)
{
    gather();
    verdict = judge_doubt(view.facts, CAUSE_DOUBT);
    expect(ACTION_DEFER, CAUSE_DOUBT, NULL);
    ck_assert(verdict.temporary);
}
END_TEST

/* Postfix would keep it in maildrop and try for ever. */
START_TEST(judge_doubt_holds_local_mail)
{
    envelope.local = true;
    policy.lists_unknown = ACTION_DEFER;
    to("lost@own");
    gather();
    ck_assert(judge_early(&view, &verdict));
    expect(ACTION_QUARANTINE, CAUSE_UNKNOWN, NULL);
    verdict = judge_doubt(view.facts, CAUSE_STORE);
    expect(ACTION_QUARANTINE, CAUSE_STORE, NULL);
    ck_assert(!verdict.temporary);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("judge");
    TCase *cases = tcase_create("judge");
    tcase_add_checked_fixture(cases, begin, message_end);
    tcase_add_test(cases, judge_nothing_fires_accepts);
    tcase_add_test(cases, judge_first_that_fires_wins);
    tcase_add_test(cases, judge_accepting_rule_is_named);
    tcase_add_test(cases, judge_monitor_rules_fire_and_decide_nothing);
    tcase_add_test(cases, judge_monitor_rule_below_is_not_asked);
    tcase_add_test(cases, judge_says_the_first_measure);
    tcase_add_test(cases, judge_first_short_list_is_named);
    tcase_add_test(cases, judge_too_many_lists_fire_unasked);
    tcase_add_loop_test(cases, judge_settles_the_action, 0,
                        (int)(sizeof settlements / sizeof settlements[0]));
    tcase_add_test(cases, judge_local_defer_by_matching_is_a_hold);
    tcase_add_test(cases, judge_without_outcomes_buckets_are_full);
    tcase_add_test(cases, judge_asks_who_can_be_told_and_proves_who_he_is);
    tcase_add_test(cases, judge_says_that_confirmed_copies_are_used_up);
    tcase_add_test(cases, judge_early_unknown_lists);
    tcase_add_test(cases, judge_early_grown_lists);
    tcase_add_test(cases, judge_early_relays_go_first);
    tcase_add_test(cases, judge_doubt_is_temporary);
    tcase_add_test(cases, judge_doubt_holds_local_mail);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
