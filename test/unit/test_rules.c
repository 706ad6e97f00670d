/* Rules as they are read, and what is warned of. Mistakes: test/vectors/settings.txt. */
#include "run.h"
#include "settings_fixture.h"

START_TEST(rules_read_every_option)
{
    load_right(
        "domains = [\"a.example\"];\ngroups = { g = [\"login:x\", \"h\"];\n"
        "h = [\"<>\"]; };\nrules = (\n"
        "{ name = \"one\"; from = [\"g\"]; from_not = [\"@a.example\"];\n"
        "  to = [\"list:*\"]; to_not = [\"b@a.example\"]; hours = \"Mon\";\n"
        "  hours_not = \"Sat-Sun\"; origin = \"local\"; reply = true;\n"
        "  automatic = false; reach_over = 0; copies_over = 7; external_over = 2;\n"
        "  visible_over = 3; visible_external_over = 1000000000;\n"
        "  key = \"sender_domain\"; limit = \"5 recipients per 1h\";\n"
        "  action = \"quarantine\"; mode = \"monitor\"; reason = \"No.\"; },\n"
        "{ name = \"two\"; burst = 9; limit = \"5 messages per 1h\"; key = \"all\";\n"
        "  action = \"defer\"; mode = \"enforce\"; },\n"
        "{ name = \"three\"; action = \"accept\"; }\n);\n");
    ck_assert_uint_eq(settings.policy.rule_count, 3);
    const struct rule *rule = &settings.policy.rules[0];
    ck_assert_str_eq(rule->name, "one");
    ck_assert_int_eq(rule->line, 5);
    ck_assert_uint_eq(rule->from.count, 2);
    ck_assert_int_eq(rule->from.items[1].kind, ELEMENT_NULL_SENDER);
    ck_assert_int_eq(rule->from.items[1].line, 3);
    ck_assert_uint_eq(rule->from_not.count, 1);
    ck_assert_uint_eq(rule->to.count, 1);
    ck_assert_uint_eq(rule->to_not.count, 1);
    ck_assert(hours_have(&rule->hours, 0));
    ck_assert(!hours_have(&rule->hours_not, 0));
    ck_assert_int_eq(rule->origin, ORIGIN_LOCAL);
    ck_assert_int_eq(rule->reply, YES);
    ck_assert_int_eq(rule->automatic, NO);
    ck_assert_int_eq(rule->over[MEASURE_REACH], 0);
    ck_assert_int_eq(rule->over[MEASURE_COPIES], 7);
    ck_assert_int_eq(rule->over[MEASURE_EXTERNAL], 2);
    ck_assert_int_eq(rule->over[MEASURE_VISIBLE], 3);
    ck_assert_int_eq(rule->over[MEASURE_VISIBLE_EXTERNAL], 1000000000);
    ck_assert(rule->has_limit);
    ck_assert_int_eq(rule->unit, UNIT_RECIPIENTS);
    ck_assert_int_eq(rule->limit.tokens, 5);
    ck_assert_int_eq(rule->limit.burst, 5);
    ck_assert_int_eq(rule->limit.period_ms, 3600000);
    ck_assert_int_eq(rule->key, KEY_SENDER_DOMAIN);
    ck_assert_int_eq(rule->action, ACTION_QUARANTINE);
    ck_assert(rule->monitor);
    ck_assert_str_eq(rule->reason, "No.");

    rule = &settings.policy.rules[1];
    ck_assert_int_eq(rule->limit.burst, 9);
    ck_assert_int_eq(rule->limit.tokens, 5);
    ck_assert(!rule->monitor);
    ck_assert_ptr_null(rule->reason);
    ck_assert_int_eq(rule->over[MEASURE_REACH], -1);
    ck_assert_str_ne(rule->fingerprint, settings.policy.rules[2].fingerprint);
    ck_assert_uint_eq(strlen(rule->fingerprint), DIGEST_HEX_SIZE - 1);
    ck_assert(!settings.policy.rules[2].has_limit);
}
END_TEST

START_TEST(rules_read_latch_and_surge)
{
    load_right("rules = (\n"
               "{ name = \"storm\"; key = \"thread\"; limit = \"10 messages per 1d\";\n"
               "  latch = \"1d\"; action = \"quarantine\"; },\n"
               "{ name = \"grown\"; key = \"campaign\"; surge = 2.5; floor = 500;\n"
               "  window = \"366d\"; latch = \"366d\"; action = \"defer\"; },\n"
               "{ name = \"plain\"; key = \"from\"; from = [ \"<>\" ]; surge = 1; floor "
               "= 1000000000;\n"
               "  action = \"reject\"; mode = \"monitor\"; }\n);\n");
    const struct rule *rule = &settings.policy.rules[0];
    ck_assert_int_eq(rule->key, KEY_THREAD);
    ck_assert_int_eq(rule->latch_ms, 86400000);
    ck_assert_int_eq(rule->unit, UNIT_MESSAGES);
    ck_assert(rule->has_limit && !rule->has_surge);

    rule = &settings.policy.rules[1];
    ck_assert_int_eq(rule->key, KEY_CAMPAIGN);
    ck_assert_int_eq(rule->surge.factor, 2500);
    ck_assert_int_eq(rule->surge.floor, 500);
    ck_assert_int_eq(rule->surge.window_ms, INT64_C(31622400000));
    ck_assert_int_eq(rule->latch_ms, INT64_C(31622400000));
    ck_assert_int_eq(rule->unit, UNIT_RECIPIENTS);
    ck_assert(rule->has_surge && !rule->has_limit);
    ck_assert(surge_is_valid(&rule->surge));

    rule = &settings.policy.rules[2];
    ck_assert_int_eq(rule->key, KEY_FROM);
    ck_assert_int_eq(rule->surge.factor, 1000);
    ck_assert_int_eq(rule->surge.floor, 1000000000);
    ck_assert_int_eq(rule->surge.window_ms, 86400000);
    ck_assert_int_eq(rule->latch_ms, 0);
    ck_assert(rule->monitor);
    ck_assert(surge_is_valid(&rule->surge));
}
END_TEST

static const struct {
    const char *text;
    int64_t thousandths;
} factors[] = {
    {"2", 2000},
    {"2.0", 2000},
    {"2L", 2000},
    {"2.", 2000},
    {"+2", 2000},
    {"0x2", 2000},
    {"20e-1", 2000},
    {"1", 1000},
    {"1.0", 1000},
    {"1.001", 1001},
    {"1.005", 1005},
    {"1.1", 1100},
    {"1.2345", 1235},
    {"1.2344", 1234},
    {"1.9999", 2000},
    {"1000", 1000000},
    {"1000.0", 1000000},
    {"999.999", 999999},
    {"2.00000000000", 2000},
};

START_TEST(rules_read_factor)
{
    char text[200];
    snprintf(text, sizeof text,
             "rules = ( { name = \"x\"; surge = %s; floor = 9; key = \"all\";\n"
             "action = \"defer\"; } );",
             factors[_i].text);
    load_right(text);
    ck_assert_int_eq(settings.policy.rules[0].surge.factor, factors[_i].thousandths);
}
END_TEST

/* One warning about a rule, whose line begins so; NULL: none. */
static void expect_rule_warning(const char *rules, const char *begins)
{
    char text[1000];
    size_t found = 0;
    snprintf(text, sizeof text, "domains = [ \"own.example\" ]; rules = (\n%s );", rules);
    load_right(text);
    for (size_t i = 0; i < problems.count; i++) {
        char line[600];
        if (strncmp(problems.items[i].text, "rule \"", 6) != 0)
            continue;
        found++;
        problem_format(&problems.items[i], line, sizeof line);
        const char *own = line + strlen(folder) + 1;
        ck_assert_msg(begins != NULL, "unexpected: %s", own);
        ck_assert_msg(strncmp(own, begins, strlen(begins)) == 0, "%s", own);
    }
    ck_assert_uint_eq(found, begins == NULL ? 0 : 1);
}

#define TOPIC(more)                                                                      \
    "{ name = \"a\"; key = \"topic\"; surge = 2; floor = 5; action = \"defer\"; " more   \
    " }"
#define PRESS(more)                                                                      \
    "{ name = \"press\"; from = [ \"login:boss\", \"login:press-*\" ]; " more            \
    "action = \"accept\"; },\n"
#define REJECT(more) "{ name = \"no\"; " more "action = \"reject\"; }"
#define FALLS                                                                            \
    "m.conf:3: warning: rule \"no\": rejects mail from those whom \"press\" above "      \
    "accepts"
#define OTHER "{ name = \"b\"; action = \"reject\"; }"

static const struct {
    const char *rules;
    const char *begins;
} doubts[] = {
    {"{ name = \"a\"; action = \"accept\"; },\n" OTHER,
     "m.conf:2: warning: rule \"a\": has no condition, so no rule below"},
    {"{ name = \"a\"; action = \"accept\"; key = \"list\"; },\n" OTHER ",\n"
     "{ name = \"c\"; action = \"accept\"; }",
     "m.conf:2: warning: rule \"a\": has no condition"},
    {"{ name = \"a\"; action = \"accept\"; }", NULL},
    {"{ name = \"a\"; action = \"accept\"; mode = \"monitor\"; },\n" OTHER, NULL},
    {"{ name = \"a\"; action = \"accept\"; reply = false; },\n" OTHER, NULL},
    {"{ name = \"a\"; action = \"accept\"; reach_over = 0; },\n" OTHER, NULL},
    {"{ name = \"a\"; action = \"accept\"; hours_not = \"Mon\"; },\n" OTHER, NULL},
    {"{ name = \"a\"; action = \"accept\"; to_not = [ \"list:*\" ]; },\n" OTHER, NULL},
    {"{ name = \"a\"; action = \"defer\"; key = \"all\";\n"
     "surge = 2; floor = 5; },\n" OTHER,
     NULL},
    {"{ name = \"a\"; action = \"defer\"; key = \"all\"; copies_over = 5;\n"
     "limit = \"5 recipients per 1h\"; }",
     "m.conf:2: warning: rule \"a\": every message it matches costs more than its burst"},
    {"{ name = \"a\"; action = \"defer\"; key = \"all\"; reach_over = 5;\n"
     "limit = \"5 recipients per 1h\"; }",
     "m.conf:2: warning: rule \"a\": every message it matches costs more than its burst"},
    {"{ name = \"a\"; action = \"defer\"; key = \"all\"; external_over = 9;\n"
     "limit = \"5 recipients per 1h\"; burst = 9; reach_over = 1; }",
     "m.conf:2: warning: rule \"a\": every message it matches costs more than its burst"},
    {"{ name = \"a\"; action = \"defer\"; key = \"all\"; reach_over = 5;\n"
     "limit = \"5 recipients per 1h\"; burst = 6; }",
     NULL},
    {"{ name = \"a\"; action = \"defer\"; key = \"all\"; reach_over = 5;\n"
     "limit = \"5 messages per 1h\"; }",
     NULL},
    {"{ name = \"a\"; action = \"defer\"; key = \"list\"; reach_over = 5;\n"
     "limit = \"5 recipients per 1h\"; }",
     NULL},
    {"{ name = \"a\"; action = \"defer\"; key = \"all\"; reach_over = 5;\n"
     "surge = 2; floor = 5; }",
     NULL},
    {"{ name = \"a\"; action = \"defer\"; key = \"list\"; surge = 2; floor = 5;\n"
     "to_not = [ \"x@y.example\", \"list:*\" ]; }",
     "m.conf:2: warning: rule \"a\": no message it matches has a list, which is its key"},
    {"{ name = \"a\"; action = \"defer\"; key = \"login\";\n"
     "limit = \"5 messages per 1h\"; from_not = [ \"login:*\" ]; }",
     "m.conf:2: warning: rule \"a\": no message it matches has a login, which is its "
     "key"},
    {"{ name = \"a\"; action = \"defer\"; key = \"login\";\n"
     "limit = \"5 messages per 1h\"; from_not = [ \"login:a*\", \"<>\" ]; }",
     NULL},
    {"{ name = \"a\"; action = \"defer\"; key = \"list\"; to_not = [ \"list:*\" ]; }",
     NULL},
    /* who has the right and adds one more recipient */
    {PRESS("to = [ \"list:*\" ]; ") REJECT("to = [ \"list:all@x.example\" ]; "), FALLS},
    {PRESS("to = [ \"list:all@x.example\" ]; ") REJECT("to = [ \"list:*\" ]; "), FALLS},
    {PRESS("to = [ \"list:all@x.example\" ]; ") REJECT("reach_over = 9; "), FALLS},
    {PRESS("to = [ \"all@x.example\" ]; ") REJECT("to = [ \"list:all@x.example\" ]; "),
     FALLS},
    {PRESS("to = [ \"all@x.example\" ]; ") REJECT("to = [ \"@x.example\" ]; "), FALLS},
    {PRESS("to = [ \"list:*\" ]; ")
         REJECT("from_not = [ \"login:boss\" ]; to = [ \"list:*\" ]; "),
     FALLS},
    {PRESS("to = [ \"list:*\" ]; ")
         REJECT("from = [ \"login:p*\" ]; to = [ \"list:*\" ]; "),
     FALLS},
    {PRESS("to = [ \"list:*\" ]; ")
         REJECT("from_not = [ \"login:boss\", \"login:p*\" ]; to = [ \"list:*\" ]; "),
     NULL},
    {PRESS("to = [ \"list:*\" ]; ")
         REJECT("from_not = [ \"login:*\" ]; to = [ \"list:*\" ]; "),
     NULL},
    {PRESS("to = [ \"list:*\" ]; ")
         REJECT("from = [ \"login:sis\" ]; to = [ \"list:*\" ]; "),
     NULL},
    {PRESS("to = [ \"list:all@x.example\" ]; ")
         REJECT("to = [ \"list:other@x.example\" ]; "),
     NULL},
    {PRESS("to = [ \"list:*\" ]; ") REJECT("to_not = [ \"list:*\" ]; "), NULL},
    {PRESS("to = [ \"list:*\" ]; hours = \"Mon\"; ") REJECT("to = [ \"list:*\" ]; "),
     NULL},
    {PRESS("to = [ \"list:*\" ]; mode = \"monitor\"; ") REJECT("to = [ \"list:*\" ]; "),
     NULL},
    {PRESS("to = [ \"list:*\" ]; ") REJECT("to = [ \"list:*\" ]; mode = \"monitor\"; "),
     NULL},
    {PRESS("") REJECT("to = [ \"list:*\" ]; "), NULL},
    {PRESS("to = [ \"list:*\" ]; ") REJECT("to = [ \"all@own.example\" ]; "), FALLS},
    {PRESS("to = [ \"list:*\" ]; ") REJECT("to = [ \"all-*@own.example\" ]; "), FALLS},
    {PRESS("to = [ \"list:*\" ]; ") REJECT("to = [ \"@own.example\" ]; "), FALLS},
    {PRESS("to = [ \"all@own.example\" ]; ") REJECT("to = [ \"list:*\" ]; "), FALLS},
    {PRESS("to = [ \"all@own.example\" ]; ") REJECT("to_not = [ \"list:*\" ]; "), NULL},
    {PRESS("to = [ \"list:*\" ]; ") REJECT("to = [ \"all@x.example\" ]; "), NULL},
    {PRESS("to = [ \"list:*\" ]; ") REJECT("to = [ \"@x.example\" ]; "), NULL},
    {"{ name = \"a\"; action = \"defer\"; key = \"campaign\"; surge = 2; floor = 5;\n"
     "to_not = [ \"list:*\" ]; from_not = [ \"login:*\" ]; }",
     NULL},
    {TOPIC(""), "m.conf:2: warning: rule \"a\": counts mail from outside, too"},
    {TOPIC("from = [ \"login:*\" ];"), NULL},
    {TOPIC("from_not = [ \"<>\", \"@x.example\" ];"), NULL},
    {"{ name = \"a\"; key = \"topic\"; reach_over = 5; action = \"defer\"; }", NULL},
};

START_TEST(rules_doubtful)
{
    expect_rule_warning(doubts[_i].rules, doubts[_i].begins);
}
END_TEST

START_TEST(rules_warn_of_what_a_restart_forgets)
{
    static const char surge[] = "rules = ( { name = \"a\"; key = \"all\"; surge = 2;\n"
                                "floor = 5; action = \"defer\"; } );\n";
    static const char text[] = "what surge learns is lost at each restart";
    char whole[400];
    snprintf(whole, sizeof whole, "%sstore = { type = \"memory\"; };", surge);
    load_right(whole);
    ck_assert(has_warning(text));
    load_right(surge);
    ck_assert(!has_warning(text));
    load_right("store = { type = \"memory\"; };");
    ck_assert(!has_warning(text));
    snprintf(whole, sizeof whole,
             "%sstore = { type = \"memory\"; state_file = \"state\"; };", surge);
    load_right(whole);
    ck_assert(!has_warning(text));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *tests = tcase_create("rules");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, rules_read_every_option);
    tcase_add_test(tests, rules_read_latch_and_surge);
    tcase_add_loop_test(tests, rules_read_factor, 0,
                        (int)(sizeof factors / sizeof factors[0]));
    tcase_add_loop_test(tests, rules_doubtful, 0,
                        (int)(sizeof doubts / sizeof doubts[0]));
    tcase_add_test(tests, rules_warn_of_what_a_restart_forgets);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
