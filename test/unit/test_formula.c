/* Formulas, and texts with braces. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/random.h"
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
    struct text formula = {0};
    enum formula_kind kind;
    const struct formula_scope scope = {.n = 7, .run = 2, .k = 3, .lookup = lookup};
    enum status status =
        formula_expand(text, strlen(text), &variables, &formula, &kind, &error);
    if (status == STATUS_OK)
        status =
            formula_evaluate(text_string(&formula), formula.length, &scope, out, &error);
    text_clear(&formula);
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

START_TEST(random_draws_the_same_each_time)
{
    uint64_t a = 5;
    uint64_t b = 5;
    bool seen[6] = {0};
    for (int i = 0; i < 200; i++) {
        int64_t drawn = random_draw(&a, 1, 6);
        ck_assert_int_eq(drawn, random_draw(&b, 1, 6));
        ck_assert_int_ge(drawn, 1);
        ck_assert_int_le(drawn, 6);
        seen[drawn - 1] = true;
    }
    for (int i = 0; i < 6; i++)
        ck_assert(seen[i]);
    ck_assert_int_eq(random_draw(&a, -3, -3), -3);
    (void)random_draw(&a, INT64_MIN, INT64_MAX);
}
END_TEST

START_TEST(template_range_is_bounded)
{
    static const char *const bad[] = {"{1..101}", "{0 - 9223372036854775807..9}",
                                      "{1..9223372036854775807}"};
    const struct formula_scope scope = {.n = 1};
    int64_t first = 42;
    int64_t count = 42;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(
            template_range(bad[i], strlen(bad[i]), &scope, 100, &first, &count, &error),
            STATUS_INVALID);
    ck_assert_int_eq(first, 42);
    static const char top[] = "{9223372036854775807..9223372036854775807}";
    ck_assert_int_eq(
        template_range(top, strlen(top), &scope, 100, &first, &count, &error), STATUS_OK);
    ck_assert_int_eq(count, 1);
}
END_TEST

/* A template's texts for k in its range, divided by '|'. */
static const char *filled(const char *text)
{
    static struct text out;
    struct text template = {0};
    struct formula_scope scope = {.n = 7, .run = 2};
    int64_t count = 0;
    text_clear(&out);
    enum status status =
        template_expand(text, strlen(text), &variables, &template, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", text, error.text);
    const char *string = text_string(&template);
    ck_assert_int_eq(
        template_range(string, template.length, &scope, 100, &scope.k, &count, &error),
        STATUS_OK);
    for (int64_t i = 0; i < count; i++, scope.k++) {
        if (i > 0)
            text_add_string(&out, "|");
        ck_assert_int_eq(template_fill(string, template.length, &scope, &out, &error),
                         STATUS_OK);
    }
    text_clear(&template);
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
    struct text other = {0};
    template_name(7, &other);
    ck_assert_str_eq(text_string(&other), first);
    template_name(8, &other);
    template_name(999999, &other);
    ck_assert_uint_eq(other.length, 18);
    ck_assert_str_ne(text_string(&other) + 12, first);
    ck_assert_ptr_null(strpbrk(text_string(&other), "0123456789"));
    text_clear(&other);
}
END_TEST

START_TEST(template_refuses_what_makes_no_sense)
{
    static const char *const bad[] = {"{",     "a{n",          "{nobody}",
                                      "{1..}", "{1..2}{3..4}", "{length(x)}",
                                      "{}",    "{n +}",        "{12size}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct text template = {0};
        ck_assert_msg(template_expand(bad[i], strlen(bad[i]), &variables, &template,
                                      &error) == STATUS_INVALID,
                      "%s", bad[i]);
        text_clear(&template);
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
    ck_assert_int_eq(variables_set(&variables, "a", "{n}", true, &error), STATUS_INVALID);
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
    tcase_add_test(tests, random_draws_the_same_each_time);
    tcase_add_test(tests, template_range_is_bounded);
    tcase_add_test(tests, template_fills);
    tcase_add_test(tests, template_makes_up_names);
    tcase_add_test(tests, template_refuses_what_makes_no_sense);
    tcase_add_test(tests, variables_stay_as_the_command_line_says);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
