/* What of a stranger's text reaches a terminal. */
#include "base/readable.h"
#include "run.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

#define BAD "\xef\xbf\xbd"

static const struct {
    const char *text, *line, *lines;
} cases[] = {
    {"", "", ""},
    {"plain", "plain", "plain"},
    {"a\tb", "a b", "a b"},
    {" a  \r\n  b ", "a b ", " a  \n  b "},
    {"a\rb\nc\r\nd", "a b c d", "a\nb\nc\nd"},
    {"a\xe2\x80\xa8z", "a z", "a\nz"},                         /* line separator */
    {"\x1b[2J\x07\x7f", BAD "[2J" BAD BAD, BAD "[2J" BAD BAD}, /* a terminal's orders */
    {"\xc2\x9b"
     "31m",
     BAD "31m", BAD "31m"},        /* C1 */
    {"a\xc2\x85z", "a z", "a\nz"}, /* next line */
    {"\xff\xc0\x80", BAD BAD BAD, BAD BAD BAD},
    {"gpj.\xe2\x80\xae"
     "exe",
     "gpj." BAD "exe", "gpj." BAD "exe"},
    {"\xe2\x81\xa6x\xe2\x81\xa9", BAD "x" BAD, BAD "x" BAD},
    {"\xd8\x9c", BAD, BAD},
    {"pass\xe2\x80\x8bword\xef\xbb\xbf\xc2\xad", "password", "password"}, /* not seen */
    {"\xf3\xa0\x81\xa1", "", ""},                                         /* a tag */
    {"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x8f\xab",
     "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x8f\xab",
     "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x8f\xab"}, /* a teacher: two, joined */
    {"\xef\xbf\xbf", BAD, BAD},
    {"\xc3\xa4\xe6\x97\xa5", "\xc3\xa4\xe6\x97\xa5", "\xc3\xa4\xe6\x97\xa5"},
};

START_TEST(readable_shows_what_is_harmless)
{
    struct text line = {0};
    struct text lines = {0};
    const char *text = cases[_i].text;
    ck_assert(readable_add(&line, text, strlen(text), false, 1000));
    ck_assert(readable_add(&lines, text, strlen(text), true, 1000));
    ck_assert_str_eq(text_string(&line), cases[_i].line);
    ck_assert_str_eq(text_string(&lines), cases[_i].lines);
    text_clear(&line);
    text_clear(&lines);
}
END_TEST

START_TEST(readable_shows_a_nul)
{
    struct text out = {0};
    ck_assert(readable_add(&out, "a\0b", 3, false, 1000));
    ck_assert_str_eq(text_string(&out), "a" BAD "b");
    text_clear(&out);
}
END_TEST

START_TEST(readable_cuts_between_characters)
{
    struct text out = {0};
    text_add_string(&out, "before ");
    ck_assert(!readable_add(&out, "\xc3\xa4\xc3\xb6\xc3\xbc", 6, false, 5));
    ck_assert_str_eq(text_string(&out), "before \xc3\xa4\xc3\xb6");
    text_reset(&out);
    ck_assert(readable_add(&out, "\xc3\xa4\xc3\xb6\xc3\xbc", 6, false, 6));
    text_reset(&out);
    ck_assert(!readable_add(&out, "a", 1, false, 0));
    ck_assert_str_eq(text_string(&out), "");
    text_clear(&out);
}
END_TEST

START_TEST(readable_piles_no_marks)
{
    struct text in = {0};
    struct text out = {0};
    text_add_string(&in, "e");
    for (int i = 0; i < 500; i++)
        text_add_string(&in, "\xcc\x81");
    ck_assert(readable_add(&out, in.data, in.length, false, 1000));
    ck_assert_uint_eq(out.length, 1 + 2 * 6);
    text_clear(&in);
    text_clear(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("readable");
    TCase *tests = tcase_create("readable");
    tcase_add_loop_test(tests, readable_shows_what_is_harmless, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tests, readable_shows_a_nul);
    tcase_add_test(tests, readable_cuts_between_characters);
    tcase_add_test(tests, readable_piles_no_marks);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
