/* Which rules a log can't judge, and what becomes of them. */
#include "logs/log_rules.h"
#include "run.h"
#include "settings_fixture.h"

#define LIMIT "limit = \"5 messages per 1h\"; "

static const struct {
    const char *options;
    bool judged;
    const char *why; /* begins so; NULL: it is judged fully */
} cases[] = {
    {"key = \"sender\"; " LIMIT, true, NULL},
    {"key = \"list\"; " LIMIT, true, NULL},
    {"reach_over = 5; ", true, NULL},
    {"key = \"thread\"; " LIMIT, false, "key = \"thread\""},
    {"key = \"campaign\"; " LIMIT, false, "key = \"campaign\""},
    {"key = \"campaign\"; surge = 2; window = \"1d\"; floor = 5; ", false,
     "key = \"campaign\""},
    {"key = \"topic\"; " LIMIT, false, "key = \"topic\": a log has no subjects"},
    {"key = \"topic\"; surge = 2; window = \"1d\"; floor = 5; ", false,
     "key = \"topic\""},
    {"key = \"topic\"; reach_over = 5; ", true, NULL},
    {"key = \"login\"; limit = \"5 clients per 1d\"; ", true, NULL},
    {"key = \"thread\"; reach_over = 5; ", true, NULL}, /* of its incidents only */
    {"visible_over = 5; ", false, "visible_over"},
    {"visible_external_over = 5; ", false, "visible_external_over"},
    {"reply = true; ", false, "reply = true"},
    {"automatic = true; ", false, "automatic = true"},
    {"reply = false; ", true, "reply = false"},
    {"automatic = false; ", true, "automatic = false"},
};

START_TEST(log_rules_leave_out_what_a_log_can_not_say)
{
    char text[400];
    struct log_rules rules;
    (void)snprintf(text, sizeof text,
                   "rules = ( { name = \"first\"; action = \"defer\"; reach_over = 9; },"
                   " { name = \"asked\"; %saction = \"defer\"; },"
                   " { name = \"last\"; action = \"reject\"; copies_over = 9; } );",
                   cases[_i].options);
    load_right(text);
    const struct snapshot snapshot = {.settings = &settings};
    ck_assert_int_eq(log_rules_init(&rules, &snapshot), STATUS_OK);
    const struct policy *judged = &rules.snapshot.settings->policy;
    ck_assert_uint_eq(judged->rule_count, cases[_i].judged ? 3 : 2);
    ck_assert_str_eq(judged->rules[0].name, "first");
    ck_assert_str_eq(judged->rules[1].name, cases[_i].judged ? "asked" : "last");
    ck_assert_uint_eq(settings.policy.rule_count, 3);
    ck_assert_uint_eq(rules.unjudged_count, cases[_i].why == NULL ? 0 : 1);
    if (cases[_i].why != NULL) {
        const struct log_unjudged *unjudged = &rules.unjudged[0];
        ck_assert_str_eq(unjudged->rule, "asked");
        ck_assert_msg(strncmp(unjudged->why, cases[_i].why, strlen(cases[_i].why)) == 0,
                      "%s", unjudged->why);
    }
    log_rules_clear(&rules);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_rules");
    TCase *tcase = tcase_create("log_rules");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, log_rules_leave_out_what_a_log_can_not_say, 0,
                        sizeof cases / sizeof *cases);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
