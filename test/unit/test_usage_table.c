/* Many keys, of which those that did least are forgotten, but counted. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logs/usage_table.h"
#include "run.h"

enum { MOST = 100 };
static const int64_t start_ms = INT64_C(1787000000000);
static const int64_t day_ms = 86400000;

static struct rule rules[3];
static const struct policy policy = {.rules = rules, .rule_count = 3};
static struct usage_table *table;

static void setup(void)
{
    ck_assert_int_eq(digest_init(), STATUS_OK);
    for (size_t i = 0; i < 3; i++)
        rule_init(&rules[i]);
    rules[0].has_limit = true;
    rules[0].limit = (struct rate){10, day_ms, 10};
    rules[1].has_surge = true;
    rules[1].surge = (struct surge){2000, 500, day_ms};
    rules[2].has_limit = true;
    rules[2].limit = (struct rate){20, day_ms, 20};
    rules[2].unit = UNIT_CLIENTS;
    table = usage_table_new(&policy, MOST);
    ck_assert_ptr_nonnull(table);
}

static void teardown(void)
{
    usage_table_free(table);
}

static void add(size_t rule, int key, int64_t cost, int64_t at_ms)
{
    char name[32];
    (void)snprintf(name, sizeof name, "login:u%d@a.example", key);
    const struct charge charge = {.subject = name, .cost = cost};
    ck_assert_int_eq(usage_table_add(table, &rules[rule], &charge, at_ms), STATUS_OK);
}

static void add_client(int key, int client, int64_t at_ms)
{
    char name[32];
    char address[32];
    const struct charge charge = {
        .subject = name, .cost = 1, .clients = true, .client = address};
    (void)snprintf(name, sizeof name, "login:u%d@a.example", key);
    (void)snprintf(address, sizeof address, "10.1.%d.%d", client / 256, client % 256);
    ck_assert_int_eq(usage_table_add(table, &rules[2], &charge, at_ms), STATUS_OK);
}

/* So many keys, each with so many clients at most. */
static void check_clients(size_t expected, int64_t largest)
{
    struct usage_key *keys;
    size_t count;
    size_t forgotten;
    ck_assert_int_eq(usage_table_keys(table, &rules[2], &keys, &count, &forgotten),
                     STATUS_OK);
    ck_assert_uint_eq(count, expected);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(keys[i].largest, largest);
    free(keys);
}

START_TEST(usage_table_keeps_rules_apart)
{
    struct usage_key *keys;
    size_t count;
    size_t forgotten;
    add(0, 1, 5, start_ms);
    add(0, 2, 7, start_ms);
    add(1, 1, 900, start_ms);
    add(0, 1, 5, start_ms + 1);
    ck_assert_int_eq(usage_table_keys(table, &rules[0], &keys, &count, &forgotten),
                     STATUS_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(forgotten, 0);
    ck_assert_str_eq(keys[0].key, "login:u1@a.example");
    ck_assert_int_eq(keys[0].largest, 10);
    ck_assert_int_eq(keys[1].largest, 7);
    free(keys);
    ck_assert_int_eq(usage_table_keys(table, &rules[1], &keys, &count, &forgotten),
                     STATUS_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(keys[0].largest, 900);
    free(keys);
}
END_TEST

START_TEST(usage_table_forgets_the_small_and_idle)
{
    struct usage_key *keys;
    size_t count;
    size_t forgotten;
    for (int key = 0; key < 10 * MOST; key++)
        add(0, key, key % 50 == 0 ? 1000 + key : 1, start_ms + key * (day_ms / 10));
    ck_assert_int_eq(usage_table_keys(table, &rules[0], &keys, &count, &forgotten),
                     STATUS_OK);
    ck_assert_uint_le(count, MOST);
    ck_assert_uint_eq(count + forgotten, 10 * MOST);
    for (size_t i = 0; i < 20; i++)
        ck_assert_int_eq(keys[i].largest, 1950 - 50 * (int64_t)i);
    ck_assert_int_eq(usage_table_missed(table), 0);
    free(keys);
}
END_TEST

START_TEST(usage_table_takes_no_more_than_fit)
{
    for (int key = 0; key < 2 * MOST; key++)
        add(1, key, 1, start_ms + key);
    ck_assert_int_eq(usage_table_missed(table), MOST);
    add(1, 5, 1, start_ms + 1000);
    ck_assert_int_eq(usage_table_missed(table), MOST);
}
END_TEST

/* Each has 16 and room for as many; of 400 that there can be. */
START_TEST(usage_table_forgets_clients_of_long_ago)
{
    for (int key = 0; key < MOST; key++)
        for (int client = 0; client < 32; client++)
            add_client(key, client / 2, start_ms + key * day_ms);
    ck_assert_int_eq(usage_table_missed(table), 0);
    check_clients(MOST, 16);
}
END_TEST

START_TEST(usage_table_takes_no_more_clients_than_fit)
{
    for (int client = 0; client < 100; client++)
        for (int key = 0; key < MOST; key++)
            add_client(key, client, start_ms + client);
    ck_assert_int_eq(usage_table_missed(table), MOST * 96);
    check_clients(MOST, 4);
}
END_TEST

START_TEST(usage_table_counts_no_more_clients_than_a_limit_can_have)
{
    for (int client = 0; client < 3000; client++)
        add_client(1, client, start_ms + client);
    ck_assert_int_eq(usage_table_missed(table), 0);
    check_clients(1, USAGE_CLIENTS_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("usage_table");
    TCase *cases = tcase_create("usage_table");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, usage_table_keeps_rules_apart);
    tcase_add_test(cases, usage_table_forgets_the_small_and_idle);
    tcase_add_test(cases, usage_table_takes_no_more_than_fit);
    tcase_add_test(cases, usage_table_forgets_clients_of_long_ago);
    tcase_add_test(cases, usage_table_takes_no_more_clients_than_fit);
    tcase_add_test(cases, usage_table_counts_no_more_clients_than_a_limit_can_have);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
