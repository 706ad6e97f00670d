/* What is counted is counted once, whoever counts, and the table never grows. */
#include "base/counters.h"
#include "run.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct counters *counters;

static void setup(void)
{
    counters = counters_new();
    ck_assert_ptr_nonnull(counters);
}

static void teardown(void)
{
    counters_free(counters);
}

static void add(const char *rule, const char *verdict, const char *would)
{
    const struct counted_decision counted = {
        .rule = rule, .verdict = verdict, .would = would, .reach = 1, .took_us = 1};
    counters_add(counters, &counted);
}

static struct counters_totals read_sheet(void)
{
    struct counters_totals sheet;
    ck_assert_int_eq(counters_read(counters, &sheet), STATUS_OK);
    return sheet;
}

static uint64_t value_of(const char *rule, const char *verdict, bool would)
{
    uint64_t value = 0;
    struct counters_totals sheet = read_sheet();
    for (size_t i = 0; i < sheet.count; i++) {
        const struct counter *item = &sheet.items[i];
        if (item->would == would && strcmp(item->rule, rule) == 0 &&
            strcmp(item->verdict, verdict) == 0)
            value += item->count;
    }
    counters_clear(&sheet);
    return value;
}

START_TEST(counters_start_empty)
{
    struct counters_totals sheet = read_sheet();
    ck_assert_uint_eq(sheet.count, 0);
    ck_assert_uint_eq(sheet.reach.sum, 0);
    counters_clear(&sheet);
    counters_clear(&sheet);
}
END_TEST

START_TEST(counters_tell_rules_and_verdicts_apart)
{
    add("cap", "reject", "");
    add("cap", "reject", "");
    add("cap", "defer", "");
    add("-", "accept", "");
    ck_assert_uint_eq(value_of("cap", "reject", false), 2);
    ck_assert_uint_eq(value_of("cap", "defer", false), 1);
    ck_assert_uint_eq(value_of("-", "accept", false), 1);
}
END_TEST

START_TEST(counters_keep_would_apart_from_was)
{
    add("-", "accept", "cap:reject");
    add("-", "accept", "cap:reject,rate:defer"); /* several rules may watch */
    ck_assert_uint_eq(value_of("cap", "reject", true), 2);
    ck_assert_uint_eq(value_of("rate", "defer", true), 1);
    ck_assert_uint_eq(value_of("cap", "reject", false), 0);
    ck_assert_uint_eq(value_of("-", "accept", false), 2);
}
END_TEST

START_TEST(histogram_bounds_are_inclusive)
{
    static const int64_t reaches[] = {0, 1, 2, 10, 11, 100000, 100001, 5000000};
    static const uint64_t expected[] = {2, 2, 1, 0, 0, 1, 2};
    for (size_t i = 0; i < sizeof reaches / sizeof *reaches; i++) {
        const struct counted_decision counted = {.rule = "-",
                                                 .verdict = "accept",
                                                 .would = "",
                                                 .reach = reaches[i],
                                                 .took_us = 1000001};
        counters_add(counters, &counted);
    }
    struct counters_totals sheet = read_sheet();
    ck_assert_uint_eq(sheet.reach.bound_count, 6);
    for (size_t i = 0; i <= sheet.reach.bound_count; i++)
        ck_assert_uint_eq(sheet.reach.counts[i], expected[i]);
    ck_assert_uint_eq(sheet.reach.sum, 5200025);
    ck_assert_uint_eq(sheet.took_us.counts[sheet.took_us.bound_count], 8);
    counters_clear(&sheet);
}
END_TEST

START_TEST(counters_past_the_cap_are_other)
{
    uint64_t total = 0;
    for (int i = 0; i < COUNTERS_MAX + 100; i++) {
        char rule[32];
        (void)snprintf(rule, sizeof rule, "rule-%d", i);
        add(rule, "accept", "");
    }
    ck_assert_uint_gt(value_of("other", "accept", false), 100);
    ck_assert_uint_eq(value_of("rule-7", "accept", false), 1);
    struct counters_totals sheet = read_sheet();
    ck_assert_uint_le(sheet.count, COUNTERS_MAX);
    for (size_t i = 0; i < sheet.count; i++)
        total += sheet.items[i].count;
    ck_assert_uint_eq(total, COUNTERS_MAX + 100);
    counters_clear(&sheet);
}
END_TEST

START_TEST(counters_cut_long_names)
{
    char rule[500];
    memset(rule, 'r', sizeof rule - 1);
    rule[sizeof rule - 1] = '\0';
    add(rule, rule, rule);
    struct counters_totals sheet = read_sheet();
    ck_assert_uint_eq(sheet.count, 1);
    ck_assert_uint_eq(strlen(sheet.items[0].rule), COUNTERS_NAME_SIZE - 1);
    counters_clear(&sheet);
}
END_TEST

enum { THREADS = 4, ROUNDS = 5000 };

static void *add_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++)
        add(i % 2 == 0 ? "even" : "odd", "accept", "");
    return NULL;
}

START_TEST(counters_lose_nothing_between_threads)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(value_of("even", "accept", false), THREADS * ROUNDS / 2);
    ck_assert_uint_eq(value_of("odd", "accept", false), THREADS * ROUNDS / 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counters");
    TCase *cases = tcase_create("counters");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, counters_start_empty);
    tcase_add_test(cases, counters_tell_rules_and_verdicts_apart);
    tcase_add_test(cases, counters_keep_would_apart_from_was);
    tcase_add_test(cases, histogram_bounds_are_inclusive);
    tcase_add_test(cases, counters_past_the_cap_are_other);
    tcase_add_test(cases, counters_cut_long_names);
    tcase_add_test(cases, counters_lose_nothing_between_threads);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
