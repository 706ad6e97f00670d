#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "base/instant.h"
#include "run.h"

START_TEST(instant_is_read_as_it_is_written)
{
    char text[INSTANT_SIZE];
    int64_t wall_ms;
    instant_format(1795291814250, text);
    ck_assert_str_eq(text, "2026-11-21T20:10:14Z");
    ck_assert(instant_parse(text, &wall_ms));
    ck_assert_int_eq(wall_ms, 1795291814000);
    instant_format_ms(1795291814250, text);
    ck_assert_str_eq(text, "2026-11-21T20:10:14.250Z");
    ck_assert(instant_parse(text, &wall_ms));
    ck_assert_int_eq(wall_ms, 1795291814250);
}
END_TEST

START_TEST(instant_is_nothing_else)
{
    static const char *const texts[] = {
        "",
        "never",
        "2026-11-21",
        "2026-11-21T20:10:14",
        "2026-11-21T20:10:14Zx",
        "2026-11-21T20:10:14.Z",
        "2026-11-21T20:10:14.25Z",
        "2026-11-21T20:10:14.250",
        "2026-11-21T20:10:14+01:00",
    };
    int64_t wall_ms;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_msg(!instant_parse(texts[i], &wall_ms), "%s", texts[i]);
    ck_assert(!instant_parse(NULL, &wall_ms));
}
END_TEST

/* Of another day, date and zone stand with it. */
START_TEST(instant_says_which_day)
{
    static const struct {
        const char *instant;
        const char *local;
    } cases[] = {
        {"2026-07-25T17:02:33Z", "19:02"},
        {"2026-07-24T22:00:00Z", "00:00"},
        {"2026-07-24T21:59:59Z", "24 Jul 23:59 CEST"},
        {"2026-01-25T17:02:33Z", "25 Jan 18:02 CET"},
        {"2025-07-25T17:02:33Z", "25 Jul 2025 19:02 CEST"},
        {"never", "never"},
    };
    char local[INSTANT_SIZE];
    int64_t now_ms = 0;
    ck_assert_int_eq(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
    tzset();
    ck_assert(instant_parse("2026-07-25T12:00:00Z", &now_ms));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        instant_local(cases[i].instant, now_ms, local);
        ck_assert_str_eq(local, cases[i].local);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("instant");
    TCase *test = tcase_create("instant");
    tcase_add_test(test, instant_is_read_as_it_is_written);
    tcase_add_test(test, instant_is_nothing_else);
    tcase_add_test(test, instant_says_which_day);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
