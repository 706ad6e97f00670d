/* Strings that live and die together. */
#include "base/arena.h"
#include "run.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static void clear(void)
{
    arena_clear(&arena);
}

START_TEST(arena_copy_is_terminated)
{
    const char raw[] = {'a', 'b', 'c', 'd'};
    char *two = arena_copy(&arena, raw, 2);
    char *none = arena_copy(&arena, raw, 0);
    char *four = arena_copy(&arena, raw, 4);
    ck_assert_str_eq(two, "ab");
    ck_assert_str_eq(none, "");
    ck_assert_uint_eq(strlen(four), 4);
    ck_assert_uint_eq(arena.used, 3 + 1 + 5);
}
END_TEST

START_TEST(arena_fills_blocks_to_their_end)
{
    /* Lengths around the size of a block, each twice: none may touch its neighbour. */
    enum { FROM = 4080, TO = 4110 };
    char *copies[2 * (TO - FROM)];
    char *raw = malloc(TO);
    ck_assert_ptr_nonnull(raw);
    for (size_t i = 0; i < 2 * (TO - FROM); i++) {
        size_t length = FROM + i / 2;
        memset(raw, 'a' + (int)(i % 26), length);
        copies[i] = arena_copy(&arena, raw, length);
        ck_assert_ptr_nonnull(copies[i]);
    }
    for (size_t i = 0; i < 2 * (TO - FROM); i++) {
        const char letter[] = {(char)('a' + i % 26), '\0'};
        ck_assert_uint_eq(strlen(copies[i]), FROM + i / 2);
        ck_assert_uint_eq(strspn(copies[i], letter), FROM + i / 2);
    }
    free(raw);
}
END_TEST

START_TEST(arena_many_small_beside_large)
{
    enum { LARGE = 1 << 20, SMALL = 3000 };
    char *raw = malloc(LARGE);
    char *small[SMALL];
    ck_assert_ptr_nonnull(raw);
    memset(raw, 'x', LARGE);
    char *large = NULL;
    for (size_t i = 0; i < SMALL; i++) {
        if (i == SMALL / 2)
            large = arena_copy(&arena, raw, LARGE);
        small[i] = arena_copy(&arena, raw, i % 40);
        ck_assert_ptr_nonnull(small[i]);
    }
    ck_assert_ptr_nonnull(large);
    ck_assert_uint_eq(strlen(large), LARGE);
    for (size_t i = 0; i < SMALL; i++)
        ck_assert_uint_eq(strlen(small[i]), i % 40);
    free(raw);
}
END_TEST

START_TEST(arena_reset_takes_all_back)
{
    char *raw = calloc(1, 100000);
    ck_assert_ptr_nonnull(raw);
    arena_reset(&arena); /* of nothing */
    for (int round = 0; round < 20; round++) {
        ck_assert_ptr_nonnull(arena_copy(&arena, "abc", 3));
        if (round % 2 == 0) /* the newest block is a large one */
            ck_assert_ptr_nonnull(arena_copy(&arena, raw, 99999));
        arena_reset(&arena);
        ck_assert_uint_eq(arena.used, 0);
        arena_reset(&arena);
    }
    ck_assert_str_eq(arena_copy(&arena, "again", 5), "again");
    free(raw);
}
END_TEST

START_TEST(arena_impossible_size_is_no_memory)
{
    ck_assert_ptr_null(arena_copy(&arena, "a", SIZE_MAX));
    ck_assert_ptr_null(arena_copy(&arena, "a", SIZE_MAX - 1));
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_str_eq(arena_copy(&arena, "a", 1), "a");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *cases = tcase_create("arena");
    tcase_add_checked_fixture(cases, NULL, clear);
    tcase_add_test(cases, arena_copy_is_terminated);
    tcase_add_test(cases, arena_fills_blocks_to_their_end);
    tcase_add_test(cases, arena_many_small_beside_large);
    tcase_add_test(cases, arena_reset_takes_all_back);
    tcase_add_test(cases, arena_impossible_size_is_no_memory);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
