/* The windows of surges: the vectors, and bounds. */
#include <check.h>
#include <stdlib.h>

#include "../support/vectors.h"
#include "policy/window.h"
#include "run.h"

static const int64_t now_ms = INT64_C(1787000000123);

struct user {
    struct surge surge;
    struct window window;
};

static void begin(void *context, const char *name, const struct surge *surge)
{
    struct user *user = context;
    (void)name;
    *user = (struct user){.surge = *surge};
}

static void step(void *context, const struct window_step *step, const char *where)
{
    struct user *user = context;
    window_roll(&user->window, &user->surge, step->at_ms);
    int64_t left = window_left(&user->window, &user->surge);
    int64_t size = window_size(&user->window, &user->surge);
    ck_assert_msg(left == step->left, "%s: left %" PRId64, where, left);
    ck_assert_msg(size == step->size, "%s: size %" PRId64, where, size);
    if (step->forced || step->cost <= left)
        window_count(&user->window, step->cost, step->at_ms);
    vectors_same_window(&user->window, &step->window, where);
}

START_TEST(window_agrees_with_vectors)
{
    struct user user;
    vectors_run_windows(&(struct window_user){begin, step, &user});
}
END_TEST

START_TEST(window_surge_has_bounds)
{
    const int64_t year_ms = INT64_C(366) * 86400000;
    const struct {
        struct surge surge;
        bool valid;
    } cases[] = {
        {{1000, 1, 1000}, true},  {{SURGE_FACTOR_MAX, SURGE_FLOOR_MAX, year_ms}, true},
        {{999, 1, 1000}, false},  {{SURGE_FACTOR_MAX + 1, 1, 1000}, false},
        {{1000, 0, 1000}, false}, {{1000, SURGE_FLOOR_MAX + 1, 1000}, false},
        {{1000, 1, 999}, false},  {{1000, 1, year_ms + 1}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(surge_is_valid(&cases[i].surge) == cases[i].valid, "case %zu", i);
}
END_TEST

/* However a run is cut into messages, a window holds what it may, to the copy. */
START_TEST(window_of_single_copies_is_exact)
{
    const struct surge surge = {2000, 400, 86400000};
    struct window window = {0};
    int64_t passed[3] = {0};
    for (int day = 0; day < 3; day++)
        for (int i = 0; i < 3400; i++) {
            int64_t at_ms = now_ms + day * surge.window_ms + i;
            window_roll(&window, &surge, at_ms);
            if (window_left(&window, &surge) < 1)
                continue;
            window_count(&window, 1, at_ms);
            passed[day]++;
        }
    ck_assert_int_eq(passed[0], 400);
    ck_assert_int_eq(passed[1], 800);
    ck_assert_int_eq(passed[2], 1600);
}
END_TEST

START_TEST(window_counts_no_further_than_its_bound)
{
    const struct surge surge = {SURGE_FACTOR_MAX, SURGE_FLOOR_MAX, 1000};
    struct window window = {0};
    window_count(&window, INT64_MAX, now_ms);
    ck_assert_int_eq(window.copies, WINDOW_COPIES_MAX);
    window_count(&window, INT64_MAX, now_ms);
    ck_assert_int_eq(window.copies, WINDOW_COPIES_MAX);
    window_roll(&window, &surge, now_ms + 1000);
    ck_assert_int_eq(window_size(&window, &surge), INT64_C(1000000000000));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window");
    TCase *tcase = tcase_create("window");
    tcase_add_test(tcase, window_agrees_with_vectors);
    tcase_add_test(tcase, window_surge_has_bounds);
    tcase_add_test(tcase, window_of_single_copies_is_exact);
    tcase_add_test(tcase, window_counts_no_further_than_its_bound);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
