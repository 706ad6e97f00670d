/* Who waits for something that hangs, and how often. */
#include <check.h>

#include "base/clock.h"
#include "base/patience.h"
#include "run.h"

static int64_t ago_us(int64_t ms)
{
    return clock_monotonic_us() - ms * 1000;
}

START_TEST(patience_ends_with_a_long_wait_in_vain)
{
    struct patience patience = {0};
    ck_assert(patience_is_left(&patience));
    patience_note(&patience, ago_us(PATIENCE_LONG_MS), true);
    ck_assert(!patience_is_left(&patience));
    int64_t rest_us = patience.rests_until_us - clock_monotonic_us();
    ck_assert_int_gt(rest_us, (PATIENCE_REST_MS - 10000) * INT64_C(1000));
    ck_assert_int_le(rest_us, PATIENCE_REST_MS * INT64_C(1000));
    patience.rests_until_us = clock_monotonic_us();
    ck_assert(patience_is_left(&patience));
}
END_TEST

START_TEST(patience_is_not_lost_otherwise)
{
    struct patience patience = {0};
    patience_note(&patience, ago_us(PATIENCE_LONG_MS / 2), true); /* refused, say */
    ck_assert(patience_is_left(&patience));
    patience_note(&patience, ago_us(2 * PATIENCE_LONG_MS), false); /* a long queue */
    ck_assert(patience_is_left(&patience));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("patience");
    TCase *tests = tcase_create("patience");
    tcase_add_test(tests, patience_ends_with_a_long_wait_in_vain);
    tcase_add_test(tests, patience_is_not_lost_otherwise);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
