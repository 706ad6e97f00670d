/* virtual(5): what Postfix's postmap(1) and cleanup(8) make of a table, we do too. */
#include "lists/lookup_table.h"

#include "lists_fixture.h"
#include "run.h"

static struct problems problems;

static void setup(void)
{
    folder_make();
}

static void teardown(void)
{
    problems_clear(&problems);
    folder_remove();
}

static const char *virtual(const char *text)
{
    return parsed(lookup_table_read_virtual, text, &problems);
}

START_TEST(virtual_lists_and_redirections)
{
    ck_assert_str_eq(virtual("info@X.Example\tBob\nstaff a@x, b@x c@x\n"),
                     "info@x.example: Bob; staff: [a@x b@x c@x]");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(virtual_continued_lines)
{
    ck_assert_str_eq(virtual("# head\nb@x two,\r\n# inner\r\n three\r\n\r\n  four\r\n\r\n"
                             "c@x one\n"),
                     "b@x: [two three four]; c@x: one");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(virtual_whole_domains)
{
    ck_assert_str_eq(virtual("@a.example any@b.example\n@Old.example @new.example\n"
                             "@c.example x, y\n"),
                     "@a.example: any@b.example; @old.example: @new.example; "
                     "@c.example: [x y]");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

/* "When the result has the form @otherdomain, the result becomes the same user there." */
START_TEST(virtual_same_user_elsewhere)
{
    ck_assert_str_eq(virtual("bob@a.example @b.example\nann @b.example, c\n"
                             "\"x y\"@a.example @b.example\n"),
                     "bob@a.example: bob@b.example; ann: [ann@b.example c]; "
                     "\"x y\"@a.example: \"x y\"@b.example");
}
END_TEST

START_TEST(virtual_quoted_keys)
{
    ck_assert_str_eq(virtual("\"foo bar\"@x baz\n\"plain\"@x quux\n"),
                     "\"foo bar\"@x: baz; plain@x: quux");
}
END_TEST

START_TEST(virtual_program_and_include)
{
    file_put("inc", "a@x\n");
    ck_assert_str_eq(virtual("p@x \"|prog\"\nl@x :include:inc\n"),
                     "p@x: =|prog; l@x: [a@x]");
}
END_TEST

START_TEST(virtual_bad_lines_are_told)
{
    ck_assert_str_eq(virtual("key\nok@x a\nstaff: b\n@ c\n\"open d\n  e\n"), "ok@x: a");
    ck_assert_uint_eq(problems.errors, 4);
    ck_assert_int_eq(problems.items[0].line, 1);
    ck_assert(problems_hold(&problems, "/table:3: a key with a colon"));
    ck_assert_int_eq(problems.items[3].line, 5);
}
END_TEST

/* "x@a"@b is an address, @a@b is no domain: it is not to become a key of any spelling. */
START_TEST(virtual_domain_with_two_ats_is_none)
{
    ck_assert_str_eq(virtual("@a@b one\n@\"a\"@b two\n@c three\n"), "@c: three");
    ck_assert_uint_eq(problems.errors, 2);
    ck_assert_int_eq(problems.items[0].line, 1);
}
END_TEST

START_TEST(virtual_same_key_twice_joins)
{
    ck_assert_str_eq(virtual("a@x one\nb@x two\nA@X three, four\n"),
                     "a@x: [one three four]; b@x: two");
    ck_assert_uint_eq(problems.warnings, 1);
    ck_assert(problems_hold(&problems, "/table:3: warning: the same name as on line 1"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("virtual");
    TCase *tests = tcase_create("virtual");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, virtual_lists_and_redirections);
    tcase_add_test(tests, virtual_continued_lines);
    tcase_add_test(tests, virtual_whole_domains);
    tcase_add_test(tests, virtual_same_user_elsewhere);
    tcase_add_test(tests, virtual_quoted_keys);
    tcase_add_test(tests, virtual_program_and_include);
    tcase_add_test(tests, virtual_bad_lines_are_told);
    tcase_add_test(tests, virtual_domain_with_two_ats_is_none);
    tcase_add_test(tests, virtual_same_key_twice_joins);
    suite_add_tcase(suite, tests);

    return run_suite(suite);
}
