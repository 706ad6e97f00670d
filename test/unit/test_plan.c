/* The walk before the store is asked: steps, charges, and where it ends. */
#include "plan_fixture.h"
#include "run.h"

START_TEST(plan_without_rules_commits)
{
    seal();
    plan_for("x@own");
    ck_assert_uint_eq(plan.step_count + plan.charge_count + plan.rules_walked, 0);
    ck_assert_ptr_null(plan.decides);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    plan_clear(&plan);
    plan_clear(&plan);
}
END_TEST

START_TEST(plan_steps_in_order_down_to_what_decides)
{
    struct rule *first = limit_add("first", ACTION_REJECT, KEY_SENDER, UNIT_MESSAGES, 9);
    struct rule *other = rule_add("other", ACTION_REJECT);
    struct rule *second =
        limit_add("second", ACTION_DEFER, KEY_CLIENT, UNIT_RECIPIENTS, 9);
    struct rule *decides = rule_add("decides", ACTION_QUARANTINE);
    (void)limit_add("below", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    other->over[MEASURE_REACH] = 100;
    seal();
    plan_for("five@own p9@own");
    ck_assert_uint_eq(plan.step_count, 3);
    ck_assert_ptr_eq(plan.steps[0].rule, first);
    ck_assert_ptr_eq(plan.steps[1].rule, second);
    ck_assert_ptr_eq(plan.steps[2].rule, decides);
    ck_assert_uint_eq(plan.steps[0].charge, 0);
    ck_assert_uint_eq(plan.steps[1].charge, 1);
    ck_assert_uint_eq(plan.steps[0].charge_count, 1);
    ck_assert_uint_eq(plan.steps[1].charge_count, 1);
    ck_assert_uint_eq(plan.steps[2].charge_count, 0);
    ck_assert_uint_eq(plan.charge_count, 2);
    expect_charge(0, first, "sender:s@else", 1);
    expect_charge(1, second, "client:203.0.113.9", 6);
    ck_assert_ptr_eq(plan.decides, decides);
    ck_assert_int_eq(plan.mode, CHARGE_LATCH);
    ck_assert_uint_eq(plan.rules_walked, 4);
    ck_assert_int_eq(plan.conditions[0], CONDITION_NONE);
    ck_assert_int_eq(plan.conditions[1], CONDITION_OVER);
    ck_assert_int_eq(plan.conditions[3], CONDITION_NONE);
}
END_TEST

START_TEST(plan_accept_charges_what_is_above)
{
    struct rule *limit = limit_add("limit", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    struct rule *accept = rule_add("accept", ACTION_ACCEPT);
    (void)limit_add("below", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    seal();
    plan_for("x@own");
    ck_assert_ptr_eq(plan.decides, accept);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, limit, "all", 1);
}
END_TEST

START_TEST(plan_monitor_never_ends_the_walk)
{
    struct rule *reject = rule_add("reject", ACTION_REJECT);
    struct rule *accept = rule_add("accept", ACTION_ACCEPT);
    struct rule *limit = limit_add("limit", ACTION_DEFER, KEY_ALL, UNIT_MESSAGES, 9);
    struct rule *last = limit_add("last", ACTION_DEFER, KEY_SENDER, UNIT_MESSAGES, 9);
    reject->monitor = accept->monitor = limit->monitor = true;
    seal();
    plan_for("x@own");
    ck_assert_uint_eq(plan.step_count, 4);
    ck_assert_ptr_null(plan.decides);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    ck_assert_uint_eq(plan.charge_count, 2);
    expect_charge(0, limit, "all", 1);
    expect_charge(1, last, "sender:s@else", 1);
    ck_assert(plan.charges[0].monitor);
    ck_assert(!plan.charges[1].monitor);
}
END_TEST

START_TEST(plan_charges_by_key)
{
    struct rule *keys[] = {
        limit_add("a", ACTION_REJECT, KEY_SENDER, UNIT_MESSAGES, 9),
        limit_add("b", ACTION_REJECT, KEY_LOGIN, UNIT_MESSAGES, 9),
        limit_add("c", ACTION_REJECT, KEY_CLIENT, UNIT_MESSAGES, 9),
        limit_add("d", ACTION_REJECT, KEY_SENDER_DOMAIN, UNIT_MESSAGES, 9),
        limit_add("e", ACTION_REJECT, KEY_ALL, UNIT_RECIPIENTS, 9),
    };
    static const char *const subjects[] = {"login:alice@own", "login:alice@own",
                                           "client:2001:db8:1:2::/64", "domain:else",
                                           "all"};
    envelope.login = "Alice";
    envelope.client = "2001:db8:1:2::9";
    seal();
    plan_for("five+1@own five+2@own");
    ck_assert_uint_eq(plan.charge_count, 5);
    for (size_t i = 0; i < 5; i++)
        expect_charge(i, keys[i], subjects[i], i == 4 ? 10 : 1);
    envelope.login = NULL;
    envelope.sender = "<>";
    plan_for("x@own");
    ck_assert_uint_eq(plan.charge_count, 3);
    ck_assert_int_eq(plan.conditions[1], CONDITION_KEY);
    ck_assert_int_eq(plan.conditions[3], CONDITION_KEY);
    ck_assert_str_eq(plan.charges[0].subject, "client:2001:db8:1:2::/64");
}
END_TEST

START_TEST(plan_charges_each_list_its_own)
{
    struct rule *sizes = limit_add("sizes", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    struct rule *ones = limit_add("ones", ACTION_REJECT, KEY_LIST, UNIT_MESSAGES, 99);
    seal();
    plan_for("three@own x@own five@own");
    ck_assert_uint_eq(plan.charge_count, 4);
    ck_assert_uint_eq(plan.steps[0].lists, 2);
    expect_charge(0, sizes, "list:five@own", 5);
    expect_charge(1, sizes, "list:three@own", 3);
    expect_charge(2, ones, "list:five@own", 1);
    expect_charge(3, ones, "list:three@own", 1);
}
END_TEST

START_TEST(plan_spellings_of_a_list_add_up)
{
    struct rule *sizes = limit_add("sizes", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    struct rule *ones = limit_add("ones", ACTION_REJECT, KEY_LIST, UNIT_MESSAGES, 99);
    seal();
    plan_for("five@own <five@own> five+1@own five+2@own five@too five@[127.0.0.1]");
    ck_assert_uint_eq(plan.charge_count, 2);
    expect_charge(0, sizes, "list:five@own", 30);
    expect_charge(1, ones, "list:five@own", 1);
}
END_TEST

START_TEST(plan_list_key_follows_to)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    rule->to = elements_of("list:five@own");
    seal();
    /* the list that was addressed is charged, not the one within */
    plan_for("three@own holder@own");
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, rule, "list:holder@own", 6);
    plan_for("three@own");
    ck_assert_uint_eq(plan.charge_count, 0);
    ck_assert_int_eq(plan.conditions[0], CONDITION_TO);
}
END_TEST

/* Two sources may have a list of one name: at one address both together answer, at
 * another only one. That is one bucket, since a store must not be asked for the same one
 * twice. */
START_TEST(plan_lists_of_one_name_are_one_bucket)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    uint32_t again;
    ck_assert_int_eq(
        directory_add_list(directory, "five@own", "/other", LIST_OK, 1, &again),
        STATUS_OK);
    ck_assert_int_eq(directory_add_member(directory, again, "q@own", 5, "own", NULL),
                     STATUS_OK);
    bind_list("five@own", again);
    seal();
    plan_for("five@own five@too");
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, rule, "list:five@own", 6 + 5);
    ck_assert_uint_eq(plan.steps[0].lists, 1);
}
END_TEST

/* Writes to l0@own to l(count - 1)@own. */
static void plan_for_lists(unsigned count)
{
    char words[2000];
    size_t length = 0;
    for (unsigned i = 0; i < count; i++)
        length += (size_t)snprintf(words + length, sizeof words - length, "l%u@own ", i);
    plan_for(words);
}

static void add_lists(unsigned count)
{
    char name[32];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "l%u@own", i);
        (void)list_of(name, "p1@own p2@own");
    }
}

START_TEST(plan_sixty_four_lists_are_charged)
{
    (void)limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    struct rule *below = limit_add("below", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 99);
    add_lists(PLAN_LIST_BUCKETS_MAX);
    seal();
    plan_for_lists(PLAN_LIST_BUCKETS_MAX);
    ck_assert_uint_eq(plan.steps[0].charge_count, PLAN_LIST_BUCKETS_MAX);
    ck_assert_uint_eq(plan.charge_count, PLAN_LIST_BUCKETS_MAX + 1);
    expect_charge(PLAN_LIST_BUCKETS_MAX, below, "all", 1);
    ck_assert_ptr_null(plan.decides);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    for (size_t i = 0; i < plan.charge_count; i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(plan.charges[i].subject, plan.charges[j].subject);
}
END_TEST

START_TEST(plan_sixty_five_lists_decide)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    struct rule *below = limit_add("below", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 99);
    add_lists(PLAN_LIST_BUCKETS_MAX + 1);
    seal();
    plan_for_lists(PLAN_LIST_BUCKETS_MAX + 1);
    ck_assert_ptr_eq(plan.decides, rule);
    ck_assert_int_eq(plan.mode, CHARGE_LATCH);
    ck_assert_uint_eq(plan.charge_count, 0);
    ck_assert_uint_eq(plan.steps[0].lists, PLAN_LIST_BUCKETS_MAX + 1);
    ck_assert_uint_eq(plan.rules_walked, 1);

    rule->monitor = true;
    plan_for_lists(PLAN_LIST_BUCKETS_MAX + 1);
    ck_assert_ptr_null(plan.decides);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, below, "all", 1);
}
END_TEST

/* ---- surges ---- */

START_TEST(plan_surge_charges_copies)
{
    struct rule *surge = surge_add("surge", ACTION_QUARANTINE, KEY_SENDER, 500);
    struct rule *watch = surge_add("watch", ACTION_REJECT, KEY_ALL, 500);
    struct rule *limit = limit_add("limit", ACTION_DEFER, KEY_ALL, UNIT_MESSAGES, 9);
    surge->latch_ms = 1000;
    limit->latch_ms = 2000;
    watch->monitor = true;
    seal();
    plan_for("five+1@own five+2@own q@else");
    ck_assert_uint_eq(plan.step_count, 3);
    ck_assert_uint_eq(plan.charge_count, 3);
    expect_charge(0, surge, "sender:s@else", 11);
    expect_charge(1, watch, "all", 11);
    expect_charge(2, limit, "all", 1);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
}
END_TEST

START_TEST(plan_surge_has_a_window_for_each_list)
{
    struct rule *surge = surge_add("surge", ACTION_QUARANTINE, KEY_LIST, 500);
    seal();
    plan_for("three@own x@own five@own");
    ck_assert_uint_eq(plan.charge_count, 2);
    expect_charge(0, surge, "list:five@own", 5);
    expect_charge(1, surge, "list:three@own", 3);
}
END_TEST

/* What is above a rule that stops the message is asked all the same: a latch may be
 * due. */
START_TEST(plan_stopped_by_matching_still_asks)
{
    struct rule *surge = surge_add("surge", ACTION_QUARANTINE, KEY_SENDER, 500);
    struct rule *reject = rule_add("reject", ACTION_REJECT);
    seal();
    plan_for("x@own");
    ck_assert_ptr_eq(plan.decides, reject);
    ck_assert_int_eq(plan.mode, CHARGE_LATCH);
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, surge, "sender:s@else", 1);
}
END_TEST

/* What goes to several lists goes to all of them, whichever of them is short. */
START_TEST(plan_lists_of_one_rule_come_along)
{
    (void)surge_add("lists", ACTION_REJECT, KEY_LIST, 500);
    (void)surge_add("sender", ACTION_REJECT, KEY_SENDER, 500);
    (void)surge_add("lists2", ACTION_REJECT, KEY_LIST, 500);
    seal();
    plan_for("five@own five+1@own three@own");
    ck_assert_uint_eq(plan.charge_count, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(plan.charges[i].along, i == 1 || i == 4);
}
END_TEST

START_TEST(plan_global_monitor_teaches)
{
    struct rule *surge = surge_add("surge", ACTION_REJECT, KEY_SENDER, 500);
    struct rule *decides = rule_add("decides", ACTION_REJECT);
    seal();
    policy.monitor = true;
    plan_for("x@own");
    ck_assert(plan.charges[0].trains);
    ck_assert(!plan.charges[0].monitor);
    expect_charge(0, surge, "sender:s@else", 1);
    ck_assert_ptr_eq(plan.decides, decides);
    ck_assert_int_eq(plan.mode, CHARGE_LATCH);
    policy.monitor = false;
    plan_for("x@own");
    ck_assert(!plan.charges[0].trains);
}
END_TEST

START_TEST(plan_allowed_surge_learns_and_stops_nothing)
{
    struct rule *surge = surge_add("surge", ACTION_REJECT, KEY_SENDER, 500);
    struct rule *limit = limit_add("limit", ACTION_REJECT, KEY_SENDER, UNIT_MESSAGES, 9);
    char subject[] = "sender:s@else";
    struct allowance allowances[] = {
        {.fingerprint = surge->fingerprint, .subject = subject, .until_ms = 1000},
        {.fingerprint = limit->fingerprint, .subject = subject, .until_ms = 1000}};
    struct brakes brakes = {.allowances = allowances, .allowance_count = 2};
    surge->latch_ms = 5000;
    view.brakes = &brakes;
    view.now_ms = 999;
    seal();
    plan_for("five@own");
    ck_assert_int_eq(plan.conditions[0], CONDITION_ALLOWED);
    ck_assert_int_eq(plan.conditions[1], CONDITION_ALLOWED);
    ck_assert_uint_eq(plan.step_count, 0);
    ck_assert_uint_eq(plan.charge_count, 1);
    ck_assert_ptr_eq(plan.charges[0].surge, &surge->surge);
    ck_assert_int_eq(plan.charges[0].cost, 5);
    ck_assert_int_eq(plan.charges[0].latch_ms, 0);
    ck_assert(plan.charges[0].monitor);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);

    view.now_ms = 1000; /* over */
    plan_for("five@own");
    ck_assert_uint_eq(plan.step_count, 2);
    expect_charge(0, surge, subject, 5);
    expect_charge(1, limit, subject, 1);
}
END_TEST

/* Who is let write to one list is not let write to all of them by naming that one. */
START_TEST(plan_allowed_list_lets_no_other_pass)
{
    struct rule *limit = limit_add("limit", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 9);
    struct rule *surge = surge_add("surge", ACTION_REJECT, KEY_LIST, 500);
    char five_subject[] = "list:five@own";
    char three_subject[] = "list:three@own";
    struct allowance allowances[] = {
        {.fingerprint = limit->fingerprint, .subject = five_subject, .until_ms = 1000},
        {.fingerprint = surge->fingerprint, .subject = five_subject, .until_ms = 1000},
        {.fingerprint = limit->fingerprint, .subject = three_subject, .until_ms = 1000}};
    struct brakes brakes = {.allowances = allowances, .allowance_count = 2};
    surge->latch_ms = 5000;
    seal();
    view.brakes = &brakes;
    plan_for("five@own three@own");
    ck_assert_uint_eq(plan.step_count, 2);
    ck_assert_uint_eq(plan.charge_count, 3);
    expect_charge(0, limit, three_subject, 3);
    ck_assert_str_eq(plan.charges[1].subject, five_subject); /* learns */
    ck_assert(plan.charges[1].monitor);
    ck_assert_int_eq(plan.charges[1].latch_ms, 0);
    expect_charge(2, surge, three_subject, 3);

    brakes.allowance_count = 3; /* both lists, of the limit */
    plan_for("five@own three@own");
    ck_assert_int_eq(plan.conditions[0], CONDITION_ALLOWED);
    ck_assert_int_eq(plan.conditions[1], CONDITION_NONE);
    plan_for("three@own x@own");
    ck_assert_int_eq(plan.conditions[0], CONDITION_ALLOWED);
    plan_for("five@own");
    ck_assert_int_eq(plan.conditions[1], CONDITION_ALLOWED);
    plan_for("x@own");
    ck_assert_int_eq(plan.conditions[0], CONDITION_KEY);
}
END_TEST

/* Ann has confirmed under a rule: so many copies of hers pass it. */
static struct allowance confirmed_by(const struct rule *rule, char *subject, char *by,
                                     char *id)
{
    struct allowance allowance =
        brakes_borrow_allowance(rule->fingerprint, subject, 1000);
    allowance.id = id;
    allowance.by = by;
    allowance.rate = permit_rate(10, 0, 1000);
    return allowance;
}

START_TEST(plan_confirmed_copies_stand_for_the_rules_own_charges)
{
    struct rule *surge = surge_add("surge", ACTION_CONFIRM, KEY_LOGIN, 3);
    struct rule *plain = rule_add("plain", ACTION_CONFIRM);
    char id[] = "0011", other_id[] = "0022", by[] = "login:ann@own";
    char subject[] = "login:ann@own";
    struct allowance allowances[] = {confirmed_by(surge, subject, by, id),
                                     confirmed_by(plain, subject, by, other_id)};
    struct brakes brakes = {.allowances = allowances, .allowance_count = 2};
    view.brakes = &brakes;
    envelope.login = "ann";
    seal();
    plan_for("five@own");
    ck_assert_uint_eq(plan.step_count, 2);
    ck_assert_ptr_null(plan.decides);
    ck_assert_uint_eq(plan.charge_count, 3);
    ck_assert_ptr_eq(plan.charges[0].surge, &surge->surge); /* it learns */
    ck_assert(plan.charges[0].monitor);
    for (size_t i = 0; i < 2; i++) {
        const struct plan_step *step = &plan.steps[i];
        const struct charge *charge = &plan.charges[step->charge];
        ck_assert_ptr_eq(step->confirmed, &allowances[i]);
        ck_assert_uint_eq(step->charge_count, 1);
        ck_assert_str_eq(charge->fingerprint, CONFIRMED_FINGERPRINT);
        ck_assert_str_eq(charge->subject, allowances[i].id);
        ck_assert_int_eq(charge->cost, 5);
        ck_assert(!charge->monitor);
    }

    view.used_up = true;
    plan_for("five@own");
    ck_assert_ptr_eq(plan.decides, plain);
    ck_assert_ptr_null(plan.steps[0].confirmed);
    view.used_up = false;
    policy.monitor = true; /* judged once, so that nothing learns twice */
    plan_for("five@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
    policy.monitor = false;
    envelope.login = "bob";
    plan_for("five@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
    envelope.login = "ann";
    view.now_ms = 1000; /* over */
    plan_for("five@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
}
END_TEST

/* What is let pass of one list says nothing about another one in the same message. */
START_TEST(plan_confirmed_list_is_that_list)
{
    struct rule *limit = limit_add("limit", ACTION_CONFIRM, KEY_LIST, UNIT_RECIPIENTS, 9);
    char id[] = "0011", by[] = "login:ann@own", subject[] = "list:five@own";
    struct allowance allowance = confirmed_by(limit, subject, by, id);
    struct brakes brakes = {.allowances = &allowance, .allowance_count = 1};
    view.brakes = &brakes;
    envelope.login = "ann";
    seal();
    plan_for("five@own");
    ck_assert_ptr_eq(plan.steps[0].confirmed, &allowance);
    plan_for("three@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
    plan_for("five@own three@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *cases = tcase_create("plan");
    tcase_add_checked_fixture(cases, begin, message_end);
    tcase_add_test(cases, plan_without_rules_commits);
    tcase_add_test(cases, plan_steps_in_order_down_to_what_decides);
    tcase_add_test(cases, plan_accept_charges_what_is_above);
    tcase_add_test(cases, plan_monitor_never_ends_the_walk);
    tcase_add_test(cases, plan_charges_by_key);
    tcase_add_test(cases, plan_charges_each_list_its_own);
    tcase_add_test(cases, plan_spellings_of_a_list_add_up);
    tcase_add_test(cases, plan_list_key_follows_to);
    tcase_add_test(cases, plan_lists_of_one_name_are_one_bucket);
    tcase_add_test(cases, plan_sixty_four_lists_are_charged);
    tcase_add_test(cases, plan_sixty_five_lists_decide);
    tcase_add_test(cases, plan_surge_charges_copies);
    tcase_add_test(cases, plan_surge_has_a_window_for_each_list);
    tcase_add_test(cases, plan_stopped_by_matching_still_asks);
    tcase_add_test(cases, plan_lists_of_one_rule_come_along);
    tcase_add_test(cases, plan_global_monitor_teaches);
    tcase_add_test(cases, plan_allowed_surge_learns_and_stops_nothing);
    tcase_add_test(cases, plan_allowed_list_lets_no_other_pass);
    tcase_add_test(cases, plan_confirmed_copies_stand_for_the_rules_own_charges);
    tcase_add_test(cases, plan_confirmed_list_is_that_list);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
