/* What was met lately, and for how long that counts. */
#include "base/recent.h"
#include "run.h"

#include <stdio.h>

static struct recent recent;

START_TEST(recent_for_a_while)
{
    recent_init(&recent, 1000);
    ck_assert(!recent_has(&recent, "a", 5000));
    ck_assert(recent_has(&recent, "a", 5500));
    ck_assert(!recent_has(&recent, "b", 5500));
    ck_assert(
        recent_has(&recent, "a", 5999)); /* since it was added, not since it was met */
    ck_assert(!recent_has(&recent, "a", 6000));
    ck_assert(recent_has(&recent, "a", 6001));
    recent_destroy(&recent);
}
END_TEST

static bool has_number(int number, int64_t now_ms)
{
    char text[20];
    (void)snprintf(text, sizeof text, "%d", number);
    return recent_has(&recent, text, now_ms);
}

START_TEST(recent_forgets_the_oldest)
{
    recent_init(&recent, 100000);
    for (int i = 0; i <= RECENT_MAX; i++)
        ck_assert(!has_number(i, 1000 + i));
    ck_assert(has_number(1, 5000));
    ck_assert(!has_number(0, 5000));
    recent_destroy(&recent);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recent");
    TCase *tcase = tcase_create("recent");
    tcase_add_test(tcase, recent_for_a_while);
    tcase_add_test(tcase, recent_forgets_the_oldest);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
