/* The largest of many, against a count of everything. */
#include "engine/heavy_hitters.h"

#include <stdio.h>
#include <string.h>

#include "run.h"

static struct heavy_hitters table;
static struct heavy_hitter_total totals[HEAVY_HITTERS_MAX];

static void setup(void)
{
    ck_assert_int_eq(digest_init(), STATUS_OK);
    heavy_hitters_init(&table);
}

static void add(int number, int64_t copies, int64_t minute)
{
    char key[40];
    (void)snprintf(key, sizeof key, "sender:%d@else.example", number);
    heavy_hitters_add(&table, key, &(struct hits){1, copies, 0}, minute);
}

static int64_t copies_of(int number, int64_t minute)
{
    char key[40];
    size_t count = heavy_hitters_list(&table, minute, totals);
    (void)snprintf(key, sizeof key, "sender:%d@else.example", number);
    for (size_t i = 0; i < count; i++)
        if (strcmp(totals[i].key, key) == 0)
            return totals[i].hits.copies;
    return 0;
}

/* Whatever order they come in: Metwally's bounds. */
START_TEST(heavy_hitters_never_underrate_what_is_large)
{
    enum { KEYS = 3000, MESSAGES = 100000 };
    static int64_t counted[KEYS];
    int64_t sum = 0;
    uint32_t random = 1;
    memset(counted, 0, sizeof counted);
    for (int i = 0; i < MESSAGES; i++) {
        random = random * 1664525 + 1013904223;
        int key = (int)(random >> 16) % KEYS;
        key = i % 2 == 0 ? key : key % 20;
        add(key, 1 + key % 3, 7);
        counted[key] += 1 + key % 3;
        sum += 1 + key % 3;
    }
    for (int key = 0; key < KEYS; key++) {
        int64_t kept = copies_of(key, -1);
        ck_assert(kept == 0 || kept >= counted[key]);
        ck_assert_int_le(kept, counted[key] + sum / HEAVY_HITTERS_MAX);
        ck_assert(kept > 0 || counted[key] <= sum / HEAVY_HITTERS_MAX);
    }
    ck_assert_uint_eq(heavy_hitters_list(&table, -1, totals), HEAVY_HITTERS_MAX);
}
END_TEST

START_TEST(heavy_hitters_count_exactly_while_there_is_room)
{
    for (int round = 0; round < 3; round++)
        for (int key = 0; key < HEAVY_HITTERS_MAX; key++)
            add(key, key, 0);
    for (int key = 1; key < HEAVY_HITTERS_MAX; key++)
        ck_assert_int_eq(copies_of(key, 0), 3 * key);
    size_t count = heavy_hitters_list(&table, 0, totals);
    heavy_hitters_sort(totals, count);
    ck_assert_str_eq(totals[0].key, "sender:511@else.example");
    ck_assert_str_eq(totals[510].key, "sender:1@else.example");
}
END_TEST

/* A newcomer has sent nothing before, as far as the last minutes go. */
START_TEST(heavy_hitters_minutes_are_their_own)
{
    for (int key = 0; key < HEAVY_HITTERS_MAX; key++)
        add(key, 10, 3);
    add(7777, 1, 3);
    ck_assert_int_eq(copies_of(7777, 3), 1);
    ck_assert_int_eq(copies_of(7777, -1), 11);
}
END_TEST

START_TEST(heavy_hitters_forget_minute_by_minute)
{
    for (int64_t minute = 0; minute < 25; minute++)
        add(1, 1 << minute, minute);
    ck_assert_int_eq(copies_of(1, 24), ((1 << 10) - 1) << 15);
    ck_assert_int_eq(copies_of(1, 26), ((1 << 8) - 1) << 17);
    ck_assert_int_eq(copies_of(1, 33), 1 << 24);
    ck_assert_int_eq(copies_of(1, 34), 0);
    add(1, 5, 12); /* the clock went back */
    ck_assert_int_eq(copies_of(1, 12), 5);
}
END_TEST

START_TEST(heavy_hitters_begin_a_day_anew)
{
    for (int key = 0; key < 2 * HEAVY_HITTERS_MAX; key++)
        add(key, key, 1);
    heavy_hitters_turn_day(&table);
    ck_assert_uint_eq(heavy_hitters_list(&table, -1, totals), 0);
    add(5000, 3, 2);
    ck_assert_int_eq(copies_of(5000, -1), 3);
}
END_TEST

START_TEST(heavy_hitters_cut_long_keys)
{
    char key[1000];
    memset(key, 'x', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        key[900] = (char)('a' + i);
        heavy_hitters_add(&table, key, &(struct hits){1, 1, 1}, 0);
    }
    ck_assert_uint_eq(heavy_hitters_list(&table, 0, totals), 1);
    ck_assert_uint_eq(strlen(totals[0].key), HEAVY_HITTER_KEY_SIZE - 1);
    ck_assert_int_eq(totals[0].hits.stopped, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heavy_hitters");
    TCase *tcase = tcase_create("heavy_hitters");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, heavy_hitters_never_underrate_what_is_large);
    tcase_add_test(tcase, heavy_hitters_count_exactly_while_there_is_room);
    tcase_add_test(tcase, heavy_hitters_minutes_are_their_own);
    tcase_add_test(tcase, heavy_hitters_forget_minute_by_minute);
    tcase_add_test(tcase, heavy_hitters_begin_a_day_anew);
    tcase_add_test(tcase, heavy_hitters_cut_long_keys);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
