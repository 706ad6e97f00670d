/* Which mail a permit means, and what a walk with permits charges and decides. */
#include "message_fixture.h"

#include "policy/brake.h"
#include "run.h"

enum { NOW_MS = 1000000, HOUR_MS = 3600000 };

static struct brakes brakes;
static struct charge_outcome outcomes[16];
static struct verdict verdict;

static void begin(void)
{
    message_begin();
    uint32_t five = list_of("five@own", "p1@own p2@own p3@own p4@own p5@own");
    (void)list_of("holder@own", "five@own z@own");
    bind_list("five@too", five);
    seal();
    view.brakes = &brakes;
    view.now_ms = NOW_MS;
    memset(outcomes, 0, sizeof outcomes);
}

static void end(void)
{
    brakes_clear(&brakes);
    message_end();
}

/* to: separated by blanks. */
static void permit(const char *id, const char *key, const char *words, int64_t copies,
                   int64_t until_ms)
{
    struct error error = {0};
    char copy[200];
    char *save = NULL;
    char *named[PERMIT_TO_MAX];
    struct permit one = {.id = (char *)(uintptr_t)id,
                         .from_ms = NOW_MS,
                         .until_ms = until_ms,
                         .rate = permit_rate(copies, NOW_MS, until_ms),
                         .to = named};
    ck_assert_msg(brake_key_parse(key, &own, NULL, &one.key, &error) == STATUS_OK, "%s",
                  error.text);
    (void)snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save))
        ck_assert_int_eq(permit_parse_to(word, &own, &named[one.to_count++], &error),
                         STATUS_OK);
    ck_assert(brakes_add_permit(&brakes, &one));
    brakes_sort(&brakes);
    brake_key_clear(&one.key);
    for (size_t i = 0; i < one.to_count; i++)
        free(named[i]);
}

static bool matches(const char *words)
{
    to(words);
    gather();
    return permit_matches(&brakes.permits[0], &facts, &own, directory, view.now_ms);
}

static bool matches_key(const char *key)
{
    brakes_clear(&brakes);
    permit("a", key, "", 100, NOW_MS + HOUR_MS);
    return matches("x@own");
}

START_TEST(permit_is_of_its_key)
{
    envelope.login = "Ann";
    envelope.sender = "<ann@own>";
    ck_assert(matches_key("login:ann"));
    ck_assert(matches_key("ann"));
    ck_assert(!matches_key("login:bob"));
    ck_assert(matches_key("sender:ann@own"));
    ck_assert(matches_key("domain:own"));
    ck_assert(matches_key("client:203.0.113.0/24"));
    ck_assert(!matches_key("client:10.0.0.1"));
    ck_assert(!matches_key("list:five@own"));
    ck_assert(!matches_key("all"));
}
END_TEST

START_TEST(permit_does_not_believe_a_forged_sender)
{
    envelope.sender = "<ann@own>";
    ck_assert(!matches_key("sender:ann@own"));
    ck_assert(!matches_key("domain:own"));
    ck_assert(!matches_key("login:ann"));
    envelope.login = "bob";
    ck_assert(!matches_key("sender:ann@own"));
    envelope.login = "ann";
    ck_assert(matches_key("sender:ann@own"));
    envelope.sender = "<bob@own>";
    ck_assert(!matches_key("sender:ann@own"));
    ck_assert(!matches_key("domain:own"));
    envelope.sender = "<ann@own>";
    envelope.login = NULL;
    envelope.client = "10.1.2.3";
    ck_assert(matches_key("sender:ann@own"));
    ck_assert(matches_key("domain:own"));
    envelope.client = "203.0.113.9";
    envelope.sender = "<press@else>";
    ck_assert(matches_key("sender:press@else"));
    ck_assert(matches_key("domain:else"));
    envelope.sender = "<>";
    ck_assert(!matches_key("sender:press@else"));
}
END_TEST

START_TEST(permit_names_every_recipient_or_none)
{
    permit("a", "sender:s@else", "five@own b@own", 100, NOW_MS + HOUR_MS);
    ck_assert(matches("five@own"));
    ck_assert(matches("FIVE@own b@own"));
    ck_assert(matches("five@too"));
    ck_assert(matches("five+tag@own b+x@own"));
    ck_assert(!matches("five@own c@own"));
    ck_assert(!matches("p1@own"));
    ck_assert(!matches("holder@own"));
    brakes_clear(&brakes);
    permit("a", "sender:s@else", "list:five b@own", 100, NOW_MS + HOUR_MS);
    ck_assert(matches("five@too b@own"));
    ck_assert(!matches("five@own c@own"));
    brakes_clear(&brakes);
    permit("a", "list:five@own", "", 100, NOW_MS + HOUR_MS);
    ck_assert(matches("five@too c@own"));
    ck_assert(!matches("c@own"));
}
END_TEST

START_TEST(permit_has_a_time)
{
    permit("a", "sender:s@else", "", 100, NOW_MS + HOUR_MS);
    ck_assert(matches("b@own"));
    view.now_ms = NOW_MS - 1;
    ck_assert(!matches("b@own"));
    view.now_ms = NOW_MS + HOUR_MS - 1;
    ck_assert(matches("b@own"));
    view.now_ms = NOW_MS + HOUR_MS;
    ck_assert(!matches("b@own"));
}
END_TEST

START_TEST(permit_parses_what_it_names)
{
    char *out = NULL;
    struct error error = {0};
    ck_assert_int_eq(permit_parse_to("Five", &own, &out, &error), STATUS_OK);
    ck_assert_str_eq(out, "five@own");
    free(out);
    ck_assert_int_eq(permit_parse_to("*@own", &own, &out, &error), STATUS_INVALID);
    ck_assert_int_eq(permit_parse_to("", &own, &out, &error), STATUS_INVALID);
    ck_assert_int_eq(permit_parse_to("LIST:Five", &own, &out, &error), STATUS_OK);
    ck_assert_str_eq(out, "list:five@own");
    free(out);
    ck_assert_int_eq(permit_parse_to("list:", &own, &out, &error), STATUS_INVALID);
    ck_assert_int_eq(permit_parse_to("list:*", &own, &out, &error), STATUS_INVALID);
    ck_assert_int_eq(permit_parse_to("login:five", &own, &out, &error), STATUS_INVALID);
    ck_assert_int_eq(permit_parse_to("list:list:five@own", &own, &out, &error),
                     STATUS_INVALID);
}
END_TEST

static void found(size_t charge, int64_t left)
{
    ck_assert_uint_lt(charge, plan.charge_count);
    outcomes[charge] = (struct charge_outcome){
        .left = left, .burst = left, .fits = plan.charges[charge].cost <= left};
}

static void plan_for(const char *words)
{
    to(words);
    gather();
    plan_anew();
}

static void judge_it(void)
{
    judge(&view, &plan, outcomes, CHARGE_SOURCE_REDIS, &verdict);
}

START_TEST(permit_is_charged_before_all_rules)
{
    (void)limit_add("limit", ACTION_QUARANTINE, KEY_SENDER, UNIT_RECIPIENTS, 3);
    (void)rule_add("cap", ACTION_REJECT);
    permit("late", "sender:s@else", "", 70, NOW_MS + 2 * HOUR_MS);
    permit("soon", "sender:s@else", "", 70, NOW_MS + HOUR_MS);
    permit("other", "sender:t@else", "", 70, NOW_MS + HOUR_MS);
    plan_for("five@own x@own");
    ck_assert_uint_eq(plan.permit_count, 2);
    ck_assert_uint_eq(plan.charge_count, 3);
    ck_assert_str_eq(plan.charges[0].subject, "soon");
    ck_assert_str_eq(plan.charges[1].subject, "late");
    ck_assert_str_eq(plan.charges[0].fingerprint, PERMIT_FINGERPRINT);
    ck_assert_int_eq(plan.charges[0].cost, 6);
    ck_assert(plan.charges[0].permit && plan.charges[0].monitor);
    ck_assert(rate_is_fixed(plan.charges[0].rate));
    ck_assert(!plan.charges[2].permit);
    ck_assert_uint_eq(plan.steps[0].charge, 2);
    ck_assert_int_eq(plan.mode, CHARGE_LATCH);

    found(0, 5);
    found(1, 6);
    found(2, 0);
    judge_it();
    ck_assert_int_eq(verdict.action, ACTION_ACCEPT);
    ck_assert_int_eq(verdict.cause, CAUSE_PERMIT);
    ck_assert_str_eq(verdict.permit->id, "late");
    ck_assert_int_eq(verdict.permit_left, 6);
    ck_assert_str_eq(judge_decider(&verdict), "permit");
    ck_assert(!plan.steps[0].fires && !plan.steps[1].fires);
}
END_TEST

START_TEST(permit_without_room_is_as_if_there_were_none_but_named)
{
    (void)limit_add("limit", ACTION_QUARANTINE, KEY_SENDER, UNIT_RECIPIENTS, 3);
    permit("soon", "sender:s@else", "", 70, NOW_MS + HOUR_MS);
    plan_for("five@own x@own");
    found(0, 5);
    found(1, 3);
    judge_it();
    ck_assert_int_eq(verdict.action, ACTION_QUARANTINE);
    ck_assert_int_eq(verdict.cause, CAUSE_LIMIT);
    ck_assert_str_eq(verdict.permit->id, "soon");
    ck_assert_int_eq(verdict.permit_left, 5);
    found(1, 6);
    judge_it();
    ck_assert_int_eq(verdict.action, ACTION_ACCEPT);
    ck_assert_int_eq(verdict.cause, CAUSE_NONE);
}
END_TEST

START_TEST(permit_comes_after_brakes)
{
    struct brake brake = {.until_ms = INT64_MAX, .action = ACTION_REJECT};
    permit("a", "sender:s@else", "", 100, NOW_MS + HOUR_MS);
    to("five@own");
    gather();
    ck_assert(!judge_early(&view, &verdict));
    ck_assert_int_eq(brake_key_parse("sender:s@else", &own, NULL, &brake.key, NULL),
                     STATUS_OK);
    ck_assert(brakes_add(&brakes, &brake));
    brake_clear(&brake);
    ck_assert(judge_early(&view, &verdict));
    ck_assert_int_eq(verdict.cause, CAUSE_BRAKE);
}
END_TEST

START_TEST(permit_of_many_only_some_are_asked)
{
    for (int i = 0; i < PLAN_PERMITS_MAX + 3; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "%02d", i);
        permit(id, "sender:s@else", "", 1, NOW_MS + HOUR_MS);
    }
    plan_for("five@own");
    ck_assert_uint_eq(plan.permit_count, PLAN_PERMITS_MAX);
    ck_assert_uint_eq(plan.charge_count, PLAN_PERMITS_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("permit");
    TCase *tcase = tcase_create("permit");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, permit_is_of_its_key);
    tcase_add_test(tcase, permit_does_not_believe_a_forged_sender);
    tcase_add_test(tcase, permit_names_every_recipient_or_none);
    tcase_add_test(tcase, permit_has_a_time);
    tcase_add_test(tcase, permit_parses_what_it_names);
    tcase_add_test(tcase, permit_is_charged_before_all_rules);
    tcase_add_test(tcase, permit_without_room_is_as_if_there_were_none_but_named);
    tcase_add_test(tcase, permit_comes_after_brakes);
    tcase_add_test(tcase, permit_of_many_only_some_are_asked);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
