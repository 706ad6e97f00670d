/* What a notice says that a stopped message passed. */
#include <check.h>

#include "engine/passed.h"
#include "run.h"

static const struct brake brake = {.by = (char[]){"ann"}};
static const struct rule rule = {.name = (char[]){"r"}};
static const struct rule limited = {
    .has_limit = true,
    .unit = UNIT_RECIPIENTS,
    .limit = {.tokens = 10, .period_ms = 3600000, .burst = 30}};
static const struct rule counted = {
    .has_limit = true,
    .unit = UNIT_CLIENTS,
    .limit = {.tokens = 20, .period_ms = 86400000, .burst = 20}};
static const struct charge client = {
    .rate = &counted.limit, .clients = true, .client = "192.0.2.1", .cost = 1};
static const struct list grown = {.was = 40, .size = 850000};
static const struct rule doubled = {
    .surge = {.factor = 2000, .window_ms = 86400000, .floor = 500}};
static const struct rule half = {
    .surge = {.factor = 1050, .window_ms = 3600000, .floor = 9}};
static const struct rule tenfold = {
    .surge = {.factor = 10000, .window_ms = 3600000, .floor = 9}};
static const struct charge charge = {.rate = &limited.limit, .cost = 5};

static const struct {
    struct verdict verdict;
    const char *limit;
    int64_t before;
} cases[] = {
    {{.cause = CAUSE_BRAKE, .brake = &brake, .over = -1}, "a brake, set by ann", -1},
    {{.cause = CAUSE_UNKNOWN, .over = -1}, "a list whose members are not known", -1},
    {{.cause = CAUSE_GROWN, .over = -1, .grown = &grown},
     "a list that had grown from 40 to 850,000",
     -1},
    {{.cause = CAUSE_STORE, .over = -1}, "none: the store did not answer", -1},
    {{.cause = CAUSE_DOUBT, .over = -1}, "none: the message could not be judged", -1},
    {{.cause = CAUSE_RULE, .rule = &rule, .over = -1},
     "none: the rule stops all such mail",
     -1},
    {{.cause = CAUSE_RULE, .rule = &rule, .measure = MEASURE_REACH, .over = 50},
     "reach over 50",
     -1},
    {{.cause = CAUSE_TOO_MANY, .rule = &rule, .over = 64}, "64 lists in one message", -1},
    {{.cause = CAUSE_LIMIT,
      .rule = &limited,
      .over = -1,
      .charge = &charge,
      .outcome = {.left = 2, .burst = 30}},
     "10 recipients per 1h, burst 30",
     28},
    {{.cause = CAUSE_LIMIT,
      .rule = &counted,
      .over = -1,
      .charge = &client,
      .outcome = {.left = 0, .burst = 20}},
     "20 clients per 1d",
     20},
    {{.cause = CAUSE_LIMIT,
      .rule = &doubled,
      .over = -1,
      .charge = &charge,
      .outcome = {.left = 100, .burst = 600}},
     "600 copies in 1d: 2 times what is usual, at least 500",
     500},
    {{.cause = CAUSE_LIMIT,
      .rule = &half,
      .over = -1,
      .charge = &charge,
      .outcome = {.left = 9, .burst = 9}},
     "9 copies in 1h: 1.05 times what is usual, at least 9",
     0},
    {{.cause = CAUSE_LIMIT,
      .rule = &tenfold,
      .over = -1,
      .charge = &charge,
      .outcome = {.left = 9, .burst = 9}},
     "9 copies in 1h: 10 times what is usual, at least 9",
     0},
};

START_TEST(passed_names_the_limit)
{
    char limit[PASSED_SIZE];
    int64_t before = passed_describe(&cases[_i].verdict, limit);
    ck_assert_str_eq(limit, cases[_i].limit);
    ck_assert_int_eq(before, cases[_i].before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("passed");
    TCase *tests = tcase_create("passed");
    tcase_add_loop_test(tests, passed_names_the_limit, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
