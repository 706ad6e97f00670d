/* Errors and warnings in one go, and errors that fit their caller's struct. */
#include "base/problems.h"
#include "run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct problems problems;

static void clear(void)
{
    problems_clear(&problems);
}

static void expect(size_t index, const char *line)
{
    char text[200];
    ck_assert_uint_lt(index, problems.count);
    problem_format(&problems.items[index], text, sizeof text);
    ck_assert_str_eq(text, line);
}

START_TEST(problems_keep_their_place)
{
    problems_error(&problems, "/etc/x", 3, "%d of %s", 2, "two");
    problems_warning(&problems, "/etc/x", 4, "careful");
    problems_error(&problems, "/etc/x", 0, "whole");
    problems_warning(&problems, "", 0, "nowhere");
    problems_error(&problems, NULL, 7, "no file");
    ck_assert_uint_eq(problems.count, 5);
    ck_assert_uint_eq(problems.errors, 3);
    ck_assert_uint_eq(problems.warnings, 2);
    expect(0, "/etc/x:3: 2 of two");
    expect(1, "/etc/x:4: warning: careful");
    expect(2, "/etc/x: whole");
    expect(3, "warning: nowhere");
    expect(4, "no file");
}
END_TEST

START_TEST(problems_take_an_error_literally)
{
    struct error error;
    enum status status =
        error_set_at(&error, STATUS_INVALID, "a%sb", 9, "100%% of %s", "%n%s");
    ck_assert_int_eq(status, STATUS_INVALID);
    problems_take(&problems, &error);
    expect(0, "a%sb:9: 100% of %n%s");
}
END_TEST

START_TEST(problem_format_cuts_to_fit)
{
    char text[6];
    problems_error(&problems, "", 0, "a long text");
    problem_format(&problems.items[0], text, sizeof text);
    ck_assert_str_eq(text, "a lon");
}
END_TEST

START_TEST(problems_past_the_cap_are_counted)
{
    for (int i = 0; i < PROBLEMS_MAX + 10; i++)
        problems_error(&problems, "f", i + 1, "e");
    problems_warning(&problems, "f", 1, "w");
    ck_assert_uint_eq(problems.count, PROBLEMS_MAX);
    ck_assert_uint_eq(problems.errors, PROBLEMS_MAX + 10);
    ck_assert_uint_eq(problems.warnings, 1);
    expect(PROBLEMS_MAX - 1, "f:200: e");
}
END_TEST

START_TEST(problems_error_displaces_a_warning)
{
    problems_error(&problems, "f", 1, "first");
    for (int i = 0; i < PROBLEMS_MAX; i++)
        problems_warning(&problems, "f", i, "w");
    problems_error(&problems, "f", 2, "second");
    problems_error(&problems, "f", 3, "third");
    ck_assert_uint_eq(problems.count, PROBLEMS_MAX);
    ck_assert_uint_eq(problems.errors, 3);
    ck_assert_uint_eq(problems.warnings, PROBLEMS_MAX);
    expect(0, "f:1: first");
    expect(PROBLEMS_MAX - 2, "f:2: second");
    expect(PROBLEMS_MAX - 1, "f:3: third");
}
END_TEST

START_TEST(problems_clear_starts_anew)
{
    problems_error(&problems, "f", 1, "e");
    problems_clear(&problems);
    problems_clear(&problems);
    ck_assert_uint_eq(problems.count + problems.errors + problems.warnings, 0);
    problems_warning(&problems, "f", 2, "w");
    expect(0, "f:2: warning: w");
}
END_TEST

START_TEST(error_set_cuts_and_takes_null)
{
    struct error error;
    char large[1000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    ck_assert_int_eq(error_set(NULL, STATUS_IO, "%s", large), STATUS_IO);
    ck_assert_int_eq(error_set_at(&error, STATUS_LIMIT, large, 5, "%s", large),
                     STATUS_LIMIT);
    ck_assert_uint_eq(strlen(error.text), sizeof error.text - 1);
    ck_assert_uint_eq(strlen(error.file), sizeof error.file - 1);
    ck_assert_int_eq(error_set(&error, STATUS_IO, "short"), STATUS_IO);
    ck_assert_str_eq(error.text, "short");
    ck_assert_str_eq(error.file, "");
    ck_assert_int_eq(error.line, 0);
}
END_TEST

START_TEST(problems_say_the_same)
{
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"", "", true},
        {"read 5 minutes ago (12)", "read 1,440 minutes ago (7)", true},
        {"it took 12.5", "it took 3", true},
        {"it took 12", "it took", false},
        {"refused", "refused: its certificate expired", false},
        {"grade-7@a.example", "grade-8@a.example", false},
        {"7@a.example has 3", "8@a.example has 3", false},
        {"port 8001: refused", "port 8002: refused", true},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ck_assert_int_eq(problem_texts_match(pairs[i].a, pairs[i].b), pairs[i].same);
        ck_assert_int_eq(problem_texts_match(pairs[i].b, pairs[i].a), pairs[i].same);
    }
    char file[] = "/etc/x";
    char text[] = "has 5";
    struct problem problem = {.line = 3, .file = file, .text = text};
    ck_assert(!problems_have(&problems, &problem));
    problems_warning(&problems, "/etc/x", 3, "has 4");
    ck_assert(problems_have(&problems, &problem));
    problem.line = 4;
    ck_assert(!problems_have(&problems, &problem));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("problems");
    TCase *cases = tcase_create("problems");
    tcase_add_checked_fixture(cases, NULL, clear);
    tcase_add_test(cases, problems_keep_their_place);
    tcase_add_test(cases, problems_take_an_error_literally);
    tcase_add_test(cases, problem_format_cuts_to_fit);
    tcase_add_test(cases, problems_past_the_cap_are_counted);
    tcase_add_test(cases, problems_error_displaces_a_warning);
    tcase_add_test(cases, problems_clear_starts_anew);
    tcase_add_test(cases, error_set_cuts_and_takes_null);
    tcase_add_test(cases, problems_say_the_same);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
