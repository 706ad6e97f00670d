/* Hours, limits, durations and fingerprints of rules. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "policy/rule.h"
#include "run.h"

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static int at(int day, int hour, int minute)
{
    return day * MINUTES_PER_DAY + hour * 60 + minute;
}

static bool have(const char *string, int minute_of_week)
{
    struct hours hours;
    struct error error = {.text = ""};
    ck_assert_msg(hours_parse(string, &hours, &error) == STATUS_OK, "%s", error.text);
    bool has = hours_have(&hours, minute_of_week);
    hours_clear(&hours);
    return has;
}

START_TEST(hours_of_office)
{
    const char *office = "Mon-Fri 07:00-17:00";
    ck_assert(!have(office, at(MON, 6, 59)));
    ck_assert(have(office, at(MON, 7, 0)));
    ck_assert(have(office, at(FRI, 16, 59)));
    ck_assert(!have(office, at(FRI, 17, 0)));
    ck_assert(!have(office, at(SAT, 12, 0)));
}
END_TEST

START_TEST(hours_wrap_midnight)
{
    const char *night = "Fri 22:00-06:00";
    ck_assert(!have(night, at(FRI, 5, 0)));
    ck_assert(!have(night, at(FRI, 21, 59)));
    ck_assert(have(night, at(FRI, 22, 0)));
    ck_assert(have(night, at(SAT, 5, 59)));
    ck_assert(!have(night, at(SAT, 6, 0)));
    ck_assert(!have(night, at(SAT, 22, 0)));
}
END_TEST

START_TEST(hours_wrap_week)
{
    ck_assert(have("Sun 22:00-06:00", at(SUN, 23, 59)));
    ck_assert(have("Sun 22:00-06:00", at(MON, 0, 0)));
    ck_assert(!have("Sun 22:00-06:00", at(MON, 6, 0)));
    ck_assert(!have("Sun 22:00-06:00", at(TUE, 0, 0)));
}
END_TEST

START_TEST(hours_days_wrap)
{
    const char *weekend = "Fri-Mon";
    ck_assert(have(weekend, at(FRI, 0, 0)));
    ck_assert(have(weekend, at(SUN, 23, 59)));
    ck_assert(have(weekend, at(MON, 23, 59)));
    ck_assert(!have(weekend, at(TUE, 0, 0)));
    ck_assert(!have(weekend, at(THU, 23, 59)));
}
END_TEST

START_TEST(hours_several)
{
    const char *open = " mon,Wed , FRI-sat 08:00 - 12:00 ;Sun;Tue 20:00-24:00";
    ck_assert(have(open, at(WED, 8, 0)));
    ck_assert(have(open, at(SAT, 11, 59)));
    ck_assert(!have(open, at(THU, 9, 0)));
    ck_assert(have(open, at(SUN, 3, 0)));
    ck_assert(have(open, at(TUE, 23, 59)));
    ck_assert(!have(open, at(WED, 0, 0)));
}
END_TEST

START_TEST(hours_every_day)
{
    ck_assert(have("07:00-17:00", at(SUN, 7, 0)));
    ck_assert(!have("07:00-17:00", at(SUN, 17, 0)));
    ck_assert(have("22:00-00:00", at(WED, 23, 0)));
    ck_assert(!have("22:00-00:00", at(WED, 0, 0)));
    ck_assert(have("00:00-24:00", at(WED, 0, 0)));
}
END_TEST

START_TEST(hours_empty_have_nothing)
{
    struct hours none = {0};
    ck_assert(!hours_have(&none, 0));
}
END_TEST

static const char *const no_hours[] = {
    "",
    " ",
    ";",
    "Mon;",
    ";Mon",
    "Mon-",
    "-Mon",
    "Mon,",
    "Mo",
    "Monday",
    "Mon-Fri-Sat",
    "Mon 7:00-17:00",
    "Mon 07:00",
    "Mon 07:00-",
    "Mon 07:00-25:00",
    "Mon 07:60-08:00",
    "Mon 07:00-07:00",
    "Mon 24:00-08:00",
    "07:00-24:01",
    "Mon 07.00-08.00",
    "Mon 07:00-08:00 09:00-10:00",
    "Mon 07:00-08:00 Tue",
    "always",
    "07:00-17:00 Mon",
    "Mon 07:00-08:00x",
};

START_TEST(hours_refuse)
{
    struct hours hours = {.count = 7};
    struct error error = {.text = ""};
    ck_assert_msg(hours_parse(no_hours[_i], &hours, &error) == STATUS_INVALID, "%s",
                  no_hours[_i]);
    ck_assert_str_ne(error.text, "");
    ck_assert_uint_eq(hours.count, 7);
}
END_TEST

START_TEST(hours_refuse_too_many)
{
    char string[100 * 4 + 1];
    struct hours hours;
    for (size_t i = 0; i < 100; i++)
        memcpy(string + 4 * i, "Mon;", 4);
    string[sizeof string - 2] = '\0';
    ck_assert_int_eq(hours_parse(string, &hours, NULL), STATUS_INVALID);
}
END_TEST

static const struct {
    const char *string;
    int64_t ms;
} durations[] = {
    {"1s", 1000},
    {"15m", 900000},
    {"4h", 14400000},
    {"7d", 604800000},
    {"2w", 1209600000},
    {"0s", 0},
    {"366d", INT64_C(31622400000)},
    {"007s", 7000},
};

START_TEST(duration_parses)
{
    int64_t ms = -1;
    ck_assert_int_eq(duration_parse(durations[_i].string, &ms, NULL), STATUS_OK);
    ck_assert_int_eq(ms, durations[_i].ms);
}
END_TEST

static const char *const no_durations[] = {
    "",
    "s",
    "1",
    "1x",
    "1S",
    "1 s",
    " 1s",
    "1s ",
    "-1s",
    "+1s",
    "1.5h",
    "1h30m",
    "0x1s",
    "9223372036854775807s",
    "9223372036854775808s",
    "99999999999999999999999s",
};

START_TEST(duration_refuses)
{
    int64_t ms = -1;
    struct error error = {.text = ""};
    ck_assert_msg(duration_parse(no_durations[_i], &ms, &error) == STATUS_INVALID, "%s",
                  no_durations[_i]);
    ck_assert_str_ne(error.text, "");
    ck_assert_int_eq(ms, -1);
}
END_TEST

START_TEST(limit_parses)
{
    struct rate rate = {0};
    enum unit unit = UNIT_RECIPIENTS;
    ck_assert_int_eq(limit_parse("8 messages per 1d", &rate, &unit, NULL), STATUS_OK);
    ck_assert_int_eq(rate.tokens, 8);
    ck_assert_int_eq(rate.period_ms, 86400000);
    ck_assert_int_eq(rate.burst, 8);
    ck_assert_int_eq(unit, UNIT_MESSAGES);
    ck_assert_int_eq(limit_parse(" 1000  recipients\tper  1h", &rate, &unit, NULL),
                     STATUS_OK);
    ck_assert_int_eq(rate.burst, 1000);
    ck_assert_int_eq(unit, UNIT_RECIPIENTS);
    ck_assert_int_eq(limit_parse("20 clients per 1d", &rate, &unit, NULL), STATUS_OK);
    ck_assert_int_eq(rate.tokens, 20);
    ck_assert_int_eq(rate.burst, 20);
    ck_assert_int_eq(unit, UNIT_CLIENTS);
}
END_TEST

START_TEST(limit_has_a_most)
{
    struct rule rule = {.limit = {20, 86400000, 30}, .unit = UNIT_RECIPIENTS};
    ck_assert_int_eq(rule_most(&rule), 50);
    rule = (struct rule){.limit = {20, 86400000, 20}, .unit = UNIT_CLIENTS};
    ck_assert_int_eq(rule_most(&rule), 20);
}
END_TEST

static const char *const no_limits[] = {
    "8 client per 1d",
    "8 clientsper 1d",
    "",
    "8",
    "8 messages",
    "8 messages per",
    "8 messages per ",
    "messages per 1d",
    "8 message per 1d",
    "8 mails per 1d",
    "8messages per 1d",
    "8 messagesper 1d",
    "8 messages per 1",
    "8 messages per 1d ",
    "-8 messages per 1d",
    "8.5 messages per 1d",
    "8 messages / 1d",
    "9223372036854775808 messages per 1d",
    "8 messages per per 1d",
    "8 messages recipients per 1d",
};

START_TEST(limit_refuses)
{
    struct rate rate = {.tokens = 3};
    enum unit unit = UNIT_RECIPIENTS;
    struct error error = {.text = ""};
    ck_assert_msg(limit_parse(no_limits[_i], &rate, &unit, &error) == STATUS_INVALID,
                  "%s", no_limits[_i]);
    ck_assert_str_ne(error.text, "");
    ck_assert_int_eq(rate.tokens, 3);
    ck_assert_int_eq(unit, UNIT_RECIPIENTS);
}
END_TEST

static char name_a[] = "sender-rate";
static char name_b[] = "sender-day";

static struct rule limited(void)
{
    struct rule rule;
    rule_init(&rule);
    rule.name = name_a;
    rule.key = KEY_SENDER;
    rule.unit = UNIT_RECIPIENTS;
    rule.limit = (struct rate){.tokens = 1000, .period_ms = 3600000, .burst = 2000};
    return rule;
}

static bool differs(struct rule changed)
{
    struct rule rule = limited();
    rule_seal(&rule);
    rule_seal(&changed);
    ck_assert_uint_eq(strlen(rule.fingerprint), DIGEST_HEX_SIZE - 1);
    return strcmp(rule.fingerprint, changed.fingerprint) != 0;
}

START_TEST(fingerprint_is_of_name_key_and_limit)
{
    struct rule rule = limited();
    rule.action = ACTION_REJECT;
    rule.line = 9;
    rule.over[MEASURE_REACH] = 7;
    rule.monitor = true;
    ck_assert(!differs(rule));
    rule = limited(), rule.name = name_b;
    ck_assert(differs(rule));
    rule = limited(), rule.key = KEY_LOGIN;
    ck_assert(differs(rule));
    rule = limited(), rule.unit = UNIT_MESSAGES;
    ck_assert(differs(rule));
    rule = limited(), rule.limit.tokens++;
    ck_assert(differs(rule));
    rule = limited(), rule.limit.period_ms++;
    ck_assert(differs(rule));
    rule = limited(), rule.limit.burst++;
    ck_assert(differs(rule));
    rule = limited(), rule.limit.tokens = 100, rule.limit.period_ms = 3600000;
    ck_assert(differs(rule));
}
END_TEST

static struct rule surging(void)
{
    struct rule rule;
    rule_init(&rule);
    rule.name = name_a;
    rule.key = KEY_SENDER;
    rule.unit = UNIT_RECIPIENTS;
    rule.has_surge = true;
    rule.surge = (struct surge){.factor = 2000, .floor = 500, .window_ms = 86400000};
    return rule;
}

static bool surge_differs(struct rule changed)
{
    struct rule rule = surging();
    rule_seal(&rule);
    rule_seal(&changed);
    ck_assert_uint_eq(strlen(rule.fingerprint), DIGEST_HEX_SIZE - 1);
    return strcmp(rule.fingerprint, changed.fingerprint) != 0;
}

/* What was learnt is worth keeping when only what may pass changes. */
START_TEST(fingerprint_of_a_surge_is_of_name_key_and_window)
{
    struct rule rule = surging();
    rule.surge.factor = 1000;
    rule.surge.floor = 1;
    rule.latch_ms = 1000;
    rule.action = ACTION_REJECT;
    rule.monitor = true;
    rule.limit = (struct rate){.tokens = 1, .period_ms = 1000, .burst = 1};
    ck_assert(!surge_differs(rule));
    rule = surging(), rule.name = name_b;
    ck_assert(surge_differs(rule));
    rule = surging(), rule.key = KEY_CAMPAIGN;
    ck_assert(surge_differs(rule));
    rule = surging(), rule.surge.window_ms++;
    ck_assert(surge_differs(rule));
    rule = surging(), rule.has_surge = false;
    ck_assert(surge_differs(rule));
}
END_TEST

/* A configuration fills in the default window of a rule that has none. */
START_TEST(fingerprint_of_a_limit_has_no_latch_nor_window)
{
    struct rule rule = limited();
    rule.latch_ms = 1000;
    rule.surge.window_ms = 86400000;
    ck_assert(!differs(rule));
}
END_TEST

START_TEST(fingerprint_stays)
{
    struct rule rule = limited();
    rule_seal(&rule);
    ck_assert_str_eq(rule.fingerprint, "d2137d231f89a11177c1af3f1a2f7e2f");
    rule = surging();
    rule_seal(&rule);
    ck_assert_str_eq(rule.fingerprint, "4f9fec94a4ff17fa0be0b30fcd4ddeed");
}
END_TEST

START_TEST(rule_is_metered_by_limit_or_surge)
{
    struct rule rule;
    rule_init(&rule);
    ck_assert(!rule_is_metered(&rule));
    rule.has_limit = true;
    ck_assert(rule_is_metered(&rule));
    rule.has_limit = false;
    rule.has_surge = true;
    ck_assert(rule_is_metered(&rule));
}
END_TEST

START_TEST(rule_starts_unset)
{
    struct rule rule;
    rule_init(&rule);
    for (size_t i = 0; i < MEASURE_COUNT; i++)
        ck_assert_int_eq(rule.over[i], -1);
    ck_assert(!rule.has_limit);
    ck_assert(!rule.has_surge);
    ck_assert_int_eq(rule.latch_ms, 0);
    ck_assert_int_eq(rule.reply, ANY);
    rule.name = strdup("x");
    rule.reason = strdup("y");
    ck_assert_int_eq(hours_parse("Mon", &rule.hours_not, NULL), STATUS_OK);
    rule_clear(&rule);
    ck_assert_ptr_null(rule.name);
}
END_TEST

START_TEST(names_of_actions_and_keys)
{
    ck_assert_str_eq(action_name(ACTION_ACCEPT), "accept");
    ck_assert_str_eq(action_name(ACTION_DEFER), "defer");
    ck_assert_str_eq(action_name(ACTION_REJECT), "reject");
    ck_assert_str_eq(action_name(ACTION_QUARANTINE), "quarantine");
    ck_assert_str_eq(key_name(KEY_SENDER), "sender");
    ck_assert_str_eq(key_name(KEY_LOGIN), "login");
    ck_assert_str_eq(key_name(KEY_CLIENT), "client");
    ck_assert_str_eq(key_name(KEY_SENDER_DOMAIN), "sender_domain");
    ck_assert_str_eq(key_name(KEY_LIST), "list");
    ck_assert_str_eq(key_name(KEY_THREAD), "thread");
    ck_assert_str_eq(key_name(KEY_CAMPAIGN), "campaign");
    ck_assert_str_eq(key_name(KEY_TOPIC), "topic");
    ck_assert_str_eq(key_name(KEY_FROM), "from");
    ck_assert_str_eq(key_name(KEY_ALL), "all");
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    Suite *suite = suite_create("rule");
    TCase *tests = tcase_create("rule");
    tcase_add_test(tests, hours_of_office);
    tcase_add_test(tests, hours_wrap_midnight);
    tcase_add_test(tests, hours_wrap_week);
    tcase_add_test(tests, hours_days_wrap);
    tcase_add_test(tests, hours_several);
    tcase_add_test(tests, hours_every_day);
    tcase_add_test(tests, hours_empty_have_nothing);
    tcase_add_loop_test(tests, hours_refuse, 0, COUNT(no_hours));
    tcase_add_test(tests, hours_refuse_too_many);
    tcase_add_loop_test(tests, duration_parses, 0, COUNT(durations));
    tcase_add_loop_test(tests, duration_refuses, 0, COUNT(no_durations));
    tcase_add_test(tests, limit_parses);
    tcase_add_test(tests, limit_has_a_most);
    tcase_add_loop_test(tests, limit_refuses, 0, COUNT(no_limits));
    tcase_add_test(tests, fingerprint_is_of_name_key_and_limit);
    tcase_add_test(tests, fingerprint_of_a_surge_is_of_name_key_and_window);
    tcase_add_test(tests, fingerprint_of_a_limit_has_no_latch_nor_window);
    tcase_add_test(tests, fingerprint_stays);
    tcase_add_test(tests, rule_is_metered_by_limit_or_surge);
    tcase_add_test(tests, rule_starts_unset);
    tcase_add_test(tests, names_of_actions_and_keys);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
