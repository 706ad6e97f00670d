/* Strings to integers. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "run.h"

static uint32_t add(struct intern *intern, const char *string)
{
    uint32_t id = UINT32_MAX;
    ck_assert_int_eq(intern_add(intern, string, strlen(string), &id), STATUS_OK);
    return id;
}

START_TEST(intern_numbers_in_order)
{
    struct intern *intern = intern_new();
    ck_assert_ptr_nonnull(intern);
    ck_assert_uint_eq(intern_count(intern), 0);
    ck_assert_uint_eq(add(intern, "a"), 0);
    ck_assert_uint_eq(add(intern, "b"), 1);
    ck_assert_uint_eq(add(intern, "a"), 0);
    ck_assert_uint_eq(add(intern, ""), 2);
    ck_assert_uint_eq(add(intern, ""), 2);
    ck_assert_uint_eq(intern_count(intern), 3);
    ck_assert_str_eq(intern_string(intern, 1), "b");
    ck_assert_str_eq(intern_string(intern, 2), "");
    intern_free(intern);
}
END_TEST

START_TEST(intern_find_adds_nothing)
{
    struct intern *intern = intern_new();
    uint32_t id = 77;
    ck_assert(!intern_find(intern, "a", 1, &id));
    ck_assert_uint_eq(id, 77);
    ck_assert_uint_eq(intern_count(intern), 0);
    (void)add(intern, "x");
    (void)add(intern, "a");
    ck_assert(intern_find(intern, "a", 1, &id));
    ck_assert_uint_eq(id, 1);
    intern_free(intern);
}
END_TEST

START_TEST(intern_takes_length_not_terminator)
{
    struct intern *intern = intern_new();
    uint32_t id;
    ck_assert_int_eq(intern_add(intern, "abcdef", 3, &id), STATUS_OK);
    ck_assert_str_eq(intern_string(intern, id), "abc");
    ck_assert(intern_find(intern, "abcxyz", 3, &id));
    ck_assert(!intern_find(intern, "abcdef", 6, &id));
    ck_assert(!intern_find(intern, "ab", 2, &id));
    intern_free(intern);
}
END_TEST

START_TEST(intern_borrows_lasting_strings)
{
    static const char lasting[] = "lasting";
    struct intern *intern = intern_new();
    struct intern_text text = {.data = lasting, .length = strlen(lasting)};
    uint32_t id;
    intern_prepare(intern, &text);
    (void)add(intern, "a");
    ck_assert_int_eq(intern_reserve(intern, 100000), STATUS_OK);
    ck_assert_int_eq(intern_add_prepared(intern, &text, true, &id), STATUS_OK);
    ck_assert_uint_eq(id, 1);
    ck_assert_ptr_eq(intern_string(intern, 1), lasting);
    ck_assert_uint_eq(add(intern, "lasting"), 1);
    ck_assert_uint_eq(add(intern, "a"), 0);
    intern_free(intern);
}
END_TEST

START_TEST(intern_keeps_many)
{
    enum { MANY = 100000 };
    struct intern *intern = intern_new();
    char string[32];
    uint32_t id;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(string, sizeof string, "user%d@x", i);
        ck_assert_uint_eq(add(intern, string), (uint32_t)i);
    }
    for (int i = 0; i < MANY; i += 7) {
        (void)snprintf(string, sizeof string, "user%d@x", i);
        ck_assert(intern_find(intern, string, strlen(string), &id));
        ck_assert_uint_eq(id, (uint32_t)i);
        ck_assert_str_eq(intern_string(intern, id), string);
    }
    ck_assert_uint_eq(intern_count(intern), MANY);
    intern_free(intern);
}
END_TEST

START_TEST(intern_long_string)
{
    struct intern *intern = intern_new();
    char *string = malloc(1 << 20);
    ck_assert_ptr_nonnull(string);
    memset(string, 'x', 1 << 20);
    uint32_t id;
    ck_assert_int_eq(intern_add(intern, string, 1 << 20, &id), STATUS_OK);
    ck_assert_uint_eq(strlen(intern_string(intern, id)), 1 << 20);
    ck_assert_uint_eq(add(intern, "x"), 1);
    free(string);
    intern_free(intern);
    intern_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("intern");
    TCase *test = tcase_create("intern");
    tcase_add_test(test, intern_numbers_in_order);
    tcase_add_test(test, intern_find_adds_nothing);
    tcase_add_test(test, intern_takes_length_not_terminator);
    tcase_add_test(test, intern_borrows_lasting_strings);
    tcase_add_test(test, intern_keeps_many);
    tcase_add_test(test, intern_long_string);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
