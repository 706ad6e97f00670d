/* Verdicts by what else the store keeps: sets of clients, windows and latches; and what
 * an allowance takes out. */
#include "judge_fixture.h"
#include "run.h"

/* ---- clients ---- */

static struct rule *clients_add(enum action action, int64_t count)
{
    struct rule *rule = limit_add("clients", action, KEY_SENDER, UNIT_CLIENTS, count);
    plan_for("five@own");
    ck_assert_uint_eq(plan.charge_count, 1);
    return rule;
}

START_TEST(judge_clients_are_charged_with_theirs)
{
    (void)clients_add(ACTION_REJECT, 3);
    ck_assert(plan.charges[0].clients);
    ck_assert_str_eq(plan.charges[0].client, facts.client);
    ck_assert_int_eq(plan.charges[0].cost, 1);
}
END_TEST

START_TEST(judge_clients_fire_without_room)
{
    const struct rule *rule = clients_add(ACTION_DEFER, 3);
    found(0, 1);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
    found(0, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_DEFER, CAUSE_LIMIT, rule);
    ck_assert(!verdict.temporary);
}
END_TEST

/* As long as all relays together would take one more, it is asked to come again. */
START_TEST(judge_clients_of_a_share)
{
    const struct rule *rule = clients_add(ACTION_REJECT, 3);
    found_share(0, 0, 1);
    outcomes[0].whole = 2;
    judge_by(CHARGE_SOURCE_LOCAL);
    expect(ACTION_DEFER, CAUSE_LIMIT, rule);
    ck_assert(verdict.temporary);
    outcomes[0].whole = 0;
    judge_by(CHARGE_SOURCE_LOCAL);
    expect(ACTION_REJECT, CAUSE_LIMIT, rule);
    ck_assert(!verdict.temporary);
    outcomes[0] = (struct charge_outcome){
        .left = 1, .burst = 1, .whole = 3, .latch_ms = 5, .fits = true};
    judge_by(CHARGE_SOURCE_LOCAL);
    expect(ACTION_REJECT, CAUSE_LATCH, rule);
}
END_TEST

/* ---- surges and latches ---- */

START_TEST(judge_surge_fires_past_its_window)
{
    struct rule *surge = surge_add("s", ACTION_QUARANTINE, KEY_SENDER, 500);
    plan_for("five@own");
    found(0, 5);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
    found(0, 4);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_QUARANTINE, CAUSE_LIMIT, surge);
    ck_assert_ptr_eq(verdict.charge, &plan.charges[0]);
    ck_assert_int_eq(verdict.outcome.left, 4);
    ck_assert(plan.steps[0].fires);
}
END_TEST

START_TEST(judge_latched_fires_whatever_is_left)
{
    struct rule *limit = limit_add("l", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    struct rule *surge = surge_add("s", ACTION_QUARANTINE, KEY_SENDER, 500);
    plan_for("five@own");
    found_latched(0, 9);
    found(1, 500);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LATCH, limit);
    ck_assert_ptr_eq(verdict.charge, &plan.charges[0]);
    ck_assert_int_eq(verdict.outcome.latch_ms, 1);
    found(0, 9);
    found_latched(1, 500);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_QUARANTINE, CAUSE_LATCH, surge);
    found_latched(1, 0); /* the latch was there first */
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_QUARANTINE, CAUSE_LATCH, surge);
    found_latched(1, 500);
    found(0, 0); /* the rule above decides */
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LIMIT, limit);
}
END_TEST

START_TEST(judge_latch_decides_before_a_rule_that_matches)
{
    struct rule *limit = limit_add("l", ACTION_DEFER, KEY_ALL, UNIT_MESSAGES, 9);
    struct rule *accept = rule_add("accept", ACTION_ACCEPT);
    plan_for("x@own");
    found_latched(0, 9);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_DEFER, CAUSE_LATCH, limit);
    found(0, 9);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_RULE, accept);
}
END_TEST

START_TEST(judge_monitor_latch_decides_nothing)
{
    struct rule *watch = limit_add("w", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    struct rule *last = surge_add("l", ACTION_DEFER, KEY_SENDER, 500);
    watch->monitor = true;
    plan_for("x@own");
    found_latched(0, 9);
    found(1, 500);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
    ck_assert(plan.steps[0].fires);
    ck_assert(!plan.steps[1].fires);
    found_latched(1, 500);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_DEFER, CAUSE_LATCH, last);
    ck_assert(plan.steps[0].fires);
}
END_TEST

START_TEST(judge_first_firing_list_is_named)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 9);
    plan_for("five@own three@own");
    found(0, 9);
    found_latched(1, 9);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LATCH, rule);
    ck_assert_str_eq(verdict.charge->subject, "list:three@own");
    found(0, 4); /* short comes before latched: it stands first */
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LIMIT, rule);
    ck_assert_str_eq(verdict.charge->subject, "list:five@own");
    ck_assert_int_eq(verdict.outcome.left, 4);
    found_latched(0, 9);
    found(1, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LATCH, rule);
    ck_assert_str_eq(verdict.charge->subject, "list:five@own");
}
END_TEST

/* Trying again can't help then, whichever list is short first; the first still names the
 * incident, as its latch is set. */
START_TEST(judge_a_list_that_can_never_pass_is_no_defer)
{
    struct rule *rule = limit_add("r", ACTION_DEFER, KEY_LIST, UNIT_RECIPIENTS, 4);
    plan_for("three@own five@own");
    ck_assert_str_eq(plan.charges[0].subject, "list:five@own");
    found(0, 4);
    found(1, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LIMIT, rule);
    ck_assert_int_eq(plan.steps[0].action, ACTION_REJECT);
    envelope.local = true;
    plan_for("three@own five@own");
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LIMIT, rule);
    envelope.local = false;

    rule->limit.burst = 5;
    plan_for("a5@own three@own five@own");
    found(0, 5);
    found(1, 2);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_DEFER, CAUSE_LIMIT, rule);
    plan_for("five+1@own five+2@own three@own"); /* ten copies of one list */
    found(0, 5);
    found(1, 2);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LIMIT, rule);
    plan_for("three@own x@own five+1@own");
    ck_assert_uint_eq(plan.charge_count, 2);
    found(0, 0);
    found(1, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_DEFER, CAUSE_LIMIT, rule);
    plan_for("five@own three+1@own three+2@own");
    found(0, 0);
    found(1, 5);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LIMIT, rule);
    ck_assert_str_eq(verdict.charge->subject, "list:three@own");
    ck_assert_str_eq(verdict.first->subject, "list:five@own");
    rule->action = ACTION_QUARANTINE;
    plan_for("five@own three+1@own three+2@own");
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_QUARANTINE, CAUSE_LIMIT, rule);
    ck_assert_str_eq(verdict.charge->subject, "list:five@own");
}
END_TEST

/* What a rule that only watches would do is what it would do to this message. */
START_TEST(judge_a_monitor_rule_would_do_as_enforced)
{
    struct rule *watch = limit_add("w", ACTION_DEFER, KEY_ALL, UNIT_RECIPIENTS, 4);
    watch->monitor = true;
    plan_for("x@own");
    found(0, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
    ck_assert_int_eq(plan.steps[0].action, ACTION_DEFER);
    plan_for("five@own");
    found(0, 4);
    judge_by(CHARGE_SOURCE_REDIS);
    ck_assert_int_eq(plan.steps[0].action, ACTION_REJECT);
    envelope.local = true;
    plan_for("x@own");
    found(0, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    ck_assert_int_eq(plan.steps[0].action, ACTION_QUARANTINE);
}
END_TEST

/* A surge that costs 5. */
static const struct {
    enum action action;
    bool local; /* origin */
    enum charge_source source;
    int64_t floor, size, left; /* size: of the window asked */
    enum action becomes;
    bool temporary;
} surges[] = {
    /* more than is usual today */
    {ACTION_DEFER, false, CHARGE_SOURCE_REDIS, 9, 9, 4, ACTION_DEFER, false},
    {ACTION_REJECT, false, CHARGE_SOURCE_MEMORY, 9, 20, 4, ACTION_REJECT, false},
    {ACTION_DEFER, true, CHARGE_SOURCE_REDIS, 9, 9, 4, ACTION_QUARANTINE, false},
    /* more than any window allows today; what is usual may grow */
    {ACTION_DEFER, false, CHARGE_SOURCE_REDIS, 4, 4, 4, ACTION_DEFER, false},
    {ACTION_DEFER, true, CHARGE_SOURCE_REDIS, 4, 4, 4, ACTION_QUARANTINE, false},
    {ACTION_QUARANTINE, false, CHARGE_SOURCE_REDIS, 4, 4, 4, ACTION_QUARANTINE, false},
    /* the local share of the floor alone is too small */
    {ACTION_DEFER, false, CHARGE_SOURCE_LOCAL, 9, 4, 4, ACTION_DEFER, true},
    {ACTION_REJECT, false, CHARGE_SOURCE_LOCAL, 9, 4, 4, ACTION_DEFER, true},
    {ACTION_QUARANTINE, false, CHARGE_SOURCE_LOCAL, 5, 1, 0, ACTION_DEFER, true},
    {ACTION_QUARANTINE, true, CHARGE_SOURCE_LOCAL, 9, 4, 4, ACTION_QUARANTINE, false},
    /* it is large enough, and used up */
    {ACTION_REJECT, false, CHARGE_SOURCE_LOCAL, 9, 5, 4, ACTION_REJECT, false},
    /* the whole floor would not do either */
    {ACTION_REJECT, false, CHARGE_SOURCE_LOCAL, 4, 2, 2, ACTION_REJECT, false},
    {ACTION_DEFER, false, CHARGE_SOURCE_LOCAL, 4, 2, 2, ACTION_DEFER, false},
};

START_TEST(judge_settles_a_surge)
{
    struct rule *rule = surge_add("s", surges[_i].action, KEY_SENDER, surges[_i].floor);
    envelope.local = surges[_i].local;
    plan_for("five@own");
    found_share(0, surges[_i].left, surges[_i].size);
    judge_by(surges[_i].source);
    expect(surges[_i].becomes, CAUSE_LIMIT, rule);
    ck_assert_int_eq(verdict.temporary, surges[_i].temporary);
}
END_TEST

/* It would have been usual, had the other relays been asked. */
START_TEST(judge_share_of_a_usual_run_is_temporary)
{
    struct rule *rule = surge_add("s", ACTION_QUARANTINE, KEY_SENDER, 4);
    plan_for("five@own");
    found_share(0, 2, 2);
    outcomes[0].whole = 5;
    judge_by(CHARGE_SOURCE_LOCAL);
    expect(ACTION_DEFER, CAUSE_LIMIT, rule);
    ck_assert(verdict.temporary);
    outcomes[0].whole = 4;
    judge_by(CHARGE_SOURCE_LOCAL);
    expect(ACTION_QUARANTINE, CAUSE_LIMIT, rule);
    ck_assert(!verdict.temporary);
}
END_TEST

/* A latched limit, and a message that costs 5. */
static const struct {
    enum action action;
    bool local;
    enum charge_source source;
    int64_t burst, share;
    enum action becomes;
} latches[] = {
    {ACTION_DEFER, false, CHARGE_SOURCE_REDIS, 9, 9, ACTION_DEFER},
    {ACTION_DEFER, true, CHARGE_SOURCE_REDIS, 9, 9, ACTION_QUARANTINE},
    {ACTION_QUARANTINE, false, CHARGE_SOURCE_REDIS, 9, 9, ACTION_QUARANTINE},
    /* it can't pass when the latch is over either */
    {ACTION_DEFER, false, CHARGE_SOURCE_REDIS, 4, 4, ACTION_REJECT},
    {ACTION_DEFER, true, CHARGE_SOURCE_REDIS, 4, 4, ACTION_REJECT},
    {ACTION_QUARANTINE, false, CHARGE_SOURCE_REDIS, 4, 4, ACTION_QUARANTINE},
    /* latched it is, whatever the share has room for */
    {ACTION_REJECT, false, CHARGE_SOURCE_LOCAL, 9, 4, ACTION_REJECT},
    {ACTION_DEFER, false, CHARGE_SOURCE_LOCAL, 9, 4, ACTION_DEFER},
};

START_TEST(judge_settles_a_latch)
{
    struct rule *rule =
        limit_add("r", latches[_i].action, KEY_ALL, UNIT_RECIPIENTS, latches[_i].burst);
    envelope.local = latches[_i].local;
    plan_for("five@own");
    found_latched(0, latches[_i].share);
    outcomes[0].burst = latches[_i].share;
    judge_by(latches[_i].source);
    expect(latches[_i].becomes, CAUSE_LATCH, rule);
    ck_assert(!verdict.temporary);
}
END_TEST

START_TEST(judge_without_outcomes_windows_have_room)
{
    (void)surge_add("s", ACTION_REJECT, KEY_SENDER, 1);
    (void)surge_add("l", ACTION_REJECT, KEY_LIST, 1);
    plan_for("five@own three@own");
    ck_assert_uint_eq(plan.charge_count, 3);
    judge(&view, &plan, NULL, CHARGE_SOURCE_NONE, &verdict);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
}
END_TEST

/* An allowed surge has a charge without a step: whatever is found of it, the charges of
 * the steps behind it are their own. */
START_TEST(judge_allowed_surge_is_not_asked)
{
    struct rule *surge = surge_add("s", ACTION_REJECT, KEY_SENDER, 1);
    struct rule *limit = limit_add("l", ACTION_DEFER, KEY_ALL, UNIT_MESSAGES, 9);
    char subject[] = "sender:s@else";
    struct allowance allowance = {
        .fingerprint = surge->fingerprint, .subject = subject, .until_ms = 1};
    struct brakes brakes = {.allowances = &allowance, .allowance_count = 1};
    view.brakes = &brakes;
    plan_for("five@own");
    ck_assert_uint_eq(plan.charge_count, 2);
    found_latched(0, 0);
    found(1, 1);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
    found(1, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_DEFER, CAUSE_LIMIT, limit);
    ck_assert_ptr_eq(verdict.charge, &plan.charges[1]);
}
END_TEST

START_TEST(judge_allowed_list_is_not_asked)
{
    struct rule *surge = surge_add("s", ACTION_REJECT, KEY_LIST, 1);
    char subject[] = "list:five@own";
    struct allowance allowance = {
        .fingerprint = surge->fingerprint, .subject = subject, .until_ms = 1};
    struct brakes brakes = {.allowances = &allowance, .allowance_count = 1};
    view.brakes = &brakes;
    plan_for("five@own three@own");
    ck_assert_uint_eq(plan.charge_count, 2);
    ck_assert_str_eq(plan.charges[0].subject, subject);
    found_latched(0, 0);
    found(1, 9);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_ACCEPT, CAUSE_NONE, NULL);
    found(1, 0);
    judge_by(CHARGE_SOURCE_REDIS);
    expect(ACTION_REJECT, CAUSE_LIMIT, surge);
    ck_assert_ptr_eq(verdict.charge, &plan.charges[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("judge_state");
    TCase *cases = tcase_create("judge_state");
    tcase_add_checked_fixture(cases, begin, message_end);
    tcase_add_test(cases, judge_clients_are_charged_with_theirs);
    tcase_add_test(cases, judge_clients_fire_without_room);
    tcase_add_test(cases, judge_clients_of_a_share);
    tcase_add_test(cases, judge_surge_fires_past_its_window);
    tcase_add_test(cases, judge_latched_fires_whatever_is_left);
    tcase_add_test(cases, judge_latch_decides_before_a_rule_that_matches);
    tcase_add_test(cases, judge_monitor_latch_decides_nothing);
    tcase_add_test(cases, judge_first_firing_list_is_named);
    tcase_add_test(cases, judge_a_list_that_can_never_pass_is_no_defer);
    tcase_add_test(cases, judge_a_monitor_rule_would_do_as_enforced);
    tcase_add_loop_test(cases, judge_settles_a_surge, 0,
                        (int)(sizeof surges / sizeof surges[0]));
    tcase_add_test(cases, judge_share_of_a_usual_run_is_temporary);
    tcase_add_loop_test(cases, judge_settles_a_latch, 0,
                        (int)(sizeof latches / sizeof latches[0]));
    tcase_add_test(cases, judge_without_outcomes_windows_have_room);
    tcase_add_test(cases, judge_allowed_surge_is_not_asked);
    tcase_add_test(cases, judge_allowed_list_is_not_asked);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
