/* Distinct persons among recipients. */
#include "directory_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "policy/reach.h"
#include "run.h"

struct expected {
    const char *recipients; /* separated by blanks */
    uint64_t total;
    uint64_t external;
};

static void reach_begin(void)
{
    directory_begin();
    (void)list_of("a@own", "p@own q@own x@else");
    (void)list_of("b@own", "q@own r@own x@else y@else");
    (void)list_of("ab@own", "a@own b@own");
    (void)list_of("copy@own", "p@own q@own x@else");
    (void)list_of("self@own", "self@own");
    (void)list_in_state("lost@own", "p@own z@else", LIST_UNKNOWN);
    redirect("alias@own", "p@own");
    redirect("away@own", "w@else");
    doubt("too");
    seal();
}

static void add(struct reach *reach, const char *recipient)
{
    struct target target = find(recipient);
    ck_assert_int_eq(reach_add(reach, &target), STATUS_OK);
}

static const struct expected cases[] = {
    {"", 0, 0},
    {"p@own", 1, 0},
    {"p@own p+x@own alias@own", 1, 0},
    {"stranger@own", 1, 0},
    {"stranger@else", 1, 1},
    {"stranger@else stranger@else Stranger@ELSE", 1, 1},
    {"s1@else s2@else s1@own", 3, 2},
    {"a@own", 3, 1},
    {"a@own a@own a+x@own", 3, 1},
    {"a@own p@own", 3, 1},
    {"p@own a@own", 3, 1},
    {"a@own x@else", 3, 1},
    {"x@else a@own y@else", 4, 2},
    {"a@own stranger@else", 4, 2},
    {"a@own b@own", 5, 2},
    {"b@own a@own ab@own", 5, 2},
    {"a@own copy@own", 3, 1},
    {"p@own a@own r@own b@own s@own", 6, 2},
    {"s@else a@own b@own s@else r@own", 6, 3},
    {"lost@own", 2, 1},
    {"lost@own a@own", 4, 2},
    {"bob@too", 1, 0},
    {"bob@too bob+x@too", 1, 0},
    {"away@own w@else", 1, 1},
    {"self@own", 1, 0},
    {"nodomain", 1, 0},
};

START_TEST(reach_counts_distinct_persons)
{
    char recipients[200];
    struct reach *reach = reach_new(directory);
    ck_assert_ptr_nonnull(reach);
    (void)snprintf(recipients, sizeof recipients, "%s", cases[_i].recipients);
    for (char *next = strtok(recipients, " "); next != NULL; next = strtok(NULL, " "))
        add(reach, next);
    ck_assert_uint_eq(reach_total(reach), cases[_i].total);
    ck_assert_uint_eq(reach_external(reach), cases[_i].external);
    reach_free(reach);
}
END_TEST

START_TEST(reach_counts_along_the_way)
{
    static const struct expected steps[] = {
        {"q@own", 1, 0}, {"new@else", 2, 1}, {"a@own", 4, 2},  {"r@own", 5, 2},
        {"b@own", 6, 3}, {"new@else", 6, 3}, {"x@else", 6, 3},
    };
    struct reach *reach = reach_new(directory);
    ck_assert_ptr_nonnull(reach);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        add(reach, steps[i].recipients);
        ck_assert_uint_eq(reach_total(reach), steps[i].total);
        ck_assert_uint_eq(reach_external(reach), steps[i].external);
    }
    reach_free(reach);
    reach_free(NULL);
}
END_TEST

START_TEST(reach_leaves_the_directory_alone)
{
    struct reach *reach = reach_new(directory);
    ck_assert_ptr_nonnull(reach);
    add(reach, "a@own");
    add(reach, "b@own");
    add(reach, "p@own");
    reach_free(reach);
    ck_assert_uint_eq(size_of(find("a@own").list), 3);
    ck_assert(!is_member(find("a@own").list, "r@own"));
}
END_TEST

START_TEST(reach_many_strangers)
{
    enum { MANY = 50000 };
    struct target target = find("nobody@else");
    struct reach *reach = reach_new(directory);
    ck_assert_ptr_nonnull(reach);
    for (int i = 0; i < 2 * MANY; i++) {
        int length = snprintf(target.address.text, sizeof target.address.text, "n%d@%s",
                              i % MANY, i % 2 == 0 ? "else" : "own");
        target.address.length = (size_t)length;
        target.address.at = strcspn(target.address.text, "@");
        if (reach_add(reach, &target) != STATUS_OK)
            ck_abort_msg("stranger %d", i);
    }
    ck_assert_uint_eq(reach_total(reach), MANY);
    ck_assert_uint_eq(reach_external(reach), MANY / 2);
    reach_free(reach);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reach");
    TCase *test = tcase_create("reach");
    tcase_add_checked_fixture(test, reach_begin, directory_end);
    tcase_add_loop_test(test, reach_counts_distinct_persons, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(test, reach_counts_along_the_way);
    tcase_add_test(test, reach_leaves_the_directory_alone);
    tcase_add_test(test, reach_many_strangers);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
