/* Formulas, and texts with braces. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/template.h"
#include "run.h"

static struct variables variables;
static struct error error;

static void set_up(void)
{
    variables = (struct variables){0};
    error = (struct error){0};
    ck_assert_int_eq(variables_set(&variables, "size", "1200", false, &error), STATUS_OK);
    ck_assert_int_eq(variables_set(&variables, "list", "all@a.b", false, &error),
                     STATUS_OK);
}

static void tear_down(void)
{
    variables_clear(&variables);
}

static enum status lookup(void *context, const char *name, const char *argument,
                          int64_t *out, struct error *why)
{
    (void)context;
    if (strcmp(name, "length") != 0)
        return error_set(why, STATUS_INVALID, "no %s", name);
    *out = (int64_t)strlen(argument);
    return STATUS_OK;
}

static enum status evaluate(const char *text, int64_t *out)
{
    struct formula *formula = NULL;
    struct formula_scope scope = {
        .n = 7, .run = 2, .k = 3, .random = 1, .lookup = lookup};
    enum status status = formula_parse(text, strlen(text), &variables, &formula, &error);
    if (status == STATUS_OK)
        status = formula_evaluate(formula, &scope, out, &error);
    formula_free(formula);
    return status;
}

static int64_t value(const char *text)
{
    int64_t out = -1;
    enum status status = evaluate(text, &out);
    ck_assert_msg(status == STATUS_OK, "%s: %s", text, error.text);
    return out;
}

START_TEST(formula_evaluates)
{
    ck_assert_int_eq(value("1 + 2 * 3"), 7);
    ck_assert_int_eq(value("(1 + 2) * 3"), 9);
    ck_assert_int_eq(value("10 - 4 - 3"), 3);
    ck_assert_int_eq(value("100 / 7 % 5"), 4);
    ck_assert_int_eq(value("max(3, min(9, 5 * 2)) * 2"), 18);
    ck_assert_int_eq(value("size * 11"), 13200);
    ck_assert_int_eq(value("n * 100 + run * 10 + k"), 723);
    ck_assert_int_eq(value("2*length(a@b.c)+1"), 11);
    ck_assert_int_eq(value("((((1))))"), 1);
}
END_TEST

START_TEST(formula_refuses_what_makes_no_sense)
{
    static const char *const bad[] = {
        "",       "1 +",       "+ 1",          "1 2",      "(1",
        "1)",     "max(1)",    "max(1, 2, 3)", "1, 2",     "max(1, (2, 3))",
        "1 / 0",  "1 % 0",     "random(2, 1)", "list",     "nobody",
        "nob(1)", "length(ab", "1 ^ 2",        "()",       "99999999999999999999",
        "n n",    "2 * 'a'",   "max 1",        "9 * (,1)",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t out = 42;
        error.text[0] = '\0';
        ck_assert_msg(evaluate(bad[i], &out) == STATUS_INVALID, "%s", bad[i]);
        ck_assert_msg(error.text[0] != '\0', "%s", bad[i]);
        ck_assert_int_eq(out, 42);
    }
}
END_TEST

START_TEST(formula_notices_overflow)
{
    int64_t out = 0;
    ck_assert_int_eq(evaluate("999999999999999 * 999999999999999", &out), STATUS_INVALID);
    ck_assert_str_eq(error.text, "a number is too large");
    ck_assert_int_eq(value("(0 - 5) / (0 - 1)"), 5);
}
END_TEST

/* Nested deeper than there is room: an error, no matter how deep. */
START_TEST(formula_is_bounded)
{
    char text[FORMULA_TEXT_MAX + 2];
    int64_t out = 0;
    memset(text, '(', FORMULA_TEXT_MAX);
    text[FORMULA_TEXT_MAX] = '\0';
    ck_assert_int_eq(evaluate(text, &out), STATUS_INVALID);
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "1+", 3);
    ck_assert_int_eq(evaluate(text, &out), STATUS_INVALID);
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(evaluate(text, &out), STATUS_INVALID);
}
END_TEST

START_TEST(formula_draws_the_same_each_time)
{
    uint64_t a = 5;
    uint64_t b = 5;
    bool seen[6] = {0};
    for (int i = 0; i < 200; i++) {
        int64_t drawn = formula_draw(&a, 1, 6);
        ck_assert_int_eq(drawn, formula_draw(&b, 1, 6));
        ck_assert_int_ge(drawn, 1);
        ck_assert_int_le(drawn, 6);
        seen[drawn - 1] = true;
    }
    for (int i = 0; i < 6; i++)
        ck_assert(seen[i]);
    ck_assert_int_eq(formula_draw(&a, -3, -3), -3);
    (void)formula_draw(&a, INT64_MIN, INT64_MAX);
}
END_TEST

/* A template's texts for k in its range, divided by '|'. */
static const char *filled(const char *text)
{
    static struct text out;
    struct template *template = NULL;
    struct formula_scope scope = {.n = 7, .run = 2, .random = 1};
    int64_t first = 0;
    int64_t last = 0;
    text_clear(&out);
    enum status status =
        template_parse(text, strlen(text), &variables, &template, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", text, error.text);
    ck_assert_int_eq(template_range(template, &scope, &first, &last, &error), STATUS_OK);
    for (scope.k = first; scope.k <= last; scope.k++) {
        if (scope.k > first)
            text_add_string(&out, "|");
        ck_assert_int_eq(template_fill(template, &scope, &out, &error), STATUS_OK);
    }
    template_free(template);
    return text_string(&out);
}

START_TEST(template_fills)
{
    ck_assert_str_eq(filled("plain"), "plain");
    ck_assert_str_eq(filled("{list}"), "all@a.b");
    ck_assert_str_eq(filled("a{n}b{n % 4}c"), "a7b3c");
    ck_assert_str_eq(filled("p{(n - 1) % size + 1}@x"), "p7@x");
    ck_assert_str_eq(filled("p{2..4}@x"), "p2@x|p3@x|p4@x");
    ck_assert_str_eq(filled("c{1..2}x{k * 10}"), "c1x10|c2x20");
    ck_assert_str_eq(filled("{5..4}"), "");
    ck_assert_str_eq(filled("{n..n + 1}"), "7|8");
    (void)filled("");
}
END_TEST

START_TEST(template_makes_up_names)
{
    char first[20];
    (void)snprintf(first, sizeof first, "%s", filled("{name}"));
    ck_assert_uint_eq(strlen(first), 6);
    ck_assert_str_eq(filled("{name:7}"), first);
    ck_assert_str_ne(filled("{name:8}"), first);
    ck_assert_ptr_null(strpbrk(filled("{name:1}{name:2}{name:999999}"), "0123456789"));
}
END_TEST

START_TEST(template_refuses_what_makes_no_sense)
{
    static const char *const bad[] = {"{",     "a{n",          "{nobody}",
                                      "{1..}", "{1..2}{3..4}", "{length(x)}",
                                      "{}",    "{n +}",        "{name:}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct template *template = NULL;
        ck_assert_msg(template_parse(bad[i], strlen(bad[i]), &variables, &template,
                                     &error) == STATUS_INVALID,
                      "%s", bad[i]);
        ck_assert_ptr_null(template);
    }
}
END_TEST

START_TEST(variables_stay_as_the_command_line_says)
{
    ck_assert_int_eq(variables_set(&variables, "size", "5", true, &error), STATUS_OK);
    ck_assert_int_eq(variables_set(&variables, "size", "6", false, &error), STATUS_OK);
    ck_assert_int_eq(value("size"), 5);
    ck_assert_int_eq(variables_set(&variables, "n", "6", false, &error), STATUS_INVALID);
    ck_assert_int_eq(variables_set(&variables, "a-b", "6", false, &error),
                     STATUS_INVALID);
    ck_assert_int_eq(variables_set(&variables, "", "6", false, &error), STATUS_INVALID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("formula");
    TCase *tests = tcase_create("formula");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, formula_evaluates);
    tcase_add_test(tests, formula_refuses_what_makes_no_sense);
    tcase_add_test(tests, formula_notices_overflow);
    tcase_add_test(tests, formula_is_bounded);
    tcase_add_test(tests, formula_draws_the_same_each_time);
    tcase_add_test(tests, template_fills);
    tcase_add_test(tests, template_makes_up_names);
    tcase_add_test(tests, template_refuses_what_makes_no_sense);
    tcase_add_test(tests, variables_stay_as_the_command_line_says);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
