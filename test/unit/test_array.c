#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "run.h"

START_TEST(array_keeps_what_was_added)
{
    int *items = NULL;
    for (int i = 0; i < 1000; i++) {
        ck_assert(array_reserve(&items, (size_t)i, sizeof *items));
        items[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(items[i], i);
    free(items);
}
END_TEST

START_TEST(array_grows_again_after_it_was_emptied)
{
    uint64_t *items = NULL;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 100; i++) {
            ck_assert(array_reserve(&items, i, sizeof *items));
            items[i] = i;
        }
    }
    free(items);
}
END_TEST

START_TEST(array_too_large_stays_as_it_was)
{
    static int items[1];
    int *array = items;
    ck_assert(!array_reserve(&array, SIZE_MAX / 2 + 1, sizeof *array));
    ck_assert(
        !array_reserve(&array, (size_t)1 << (sizeof(size_t) * 8 - 3), sizeof *array));
    ck_assert_ptr_eq(array, items);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("array");
    TCase *tests = tcase_create("array");
    tcase_add_test(tests, array_keeps_what_was_added);
    tcase_add_test(tests, array_grows_again_after_it_was_emptied);
    tcase_add_test(tests, array_too_large_stays_as_it_was);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
