/* Nothing a stranger wrote may reach a terminal, or break a document. */
#include "base/output.h"
#include "engine/json_output.h"

#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "run.h"

#define BAD "\xef\xbf\xbd"

static const struct {
    const char *bytes;
    const char *string;
} strings[] = {
    {"", ""},
    {"plain \"quoted\" \\ \n\x01\x7f", "plain \"quoted\" \\ \n\x01\x7f"},
    {"\xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7", "\xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7"},
    /* the ends of each length */
    {"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xef\xbf\xbf",
     "\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xef\xbf\xbf"},
    {"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"},
    {"\xed\x9f\xbf \xee\x80\x80", "\xed\x9f\xbf \xee\x80\x80"},
    /* lone bytes, and sequences that end too soon */
    {"a\x80z", "a" BAD "z"},
    {"a\xffz", "a" BAD "z"},
    {"a\xc3", "a" BAD},
    {"a\xc3z", "a" BAD "z"},
    {"\xe2\x82", BAD BAD},
    {"\xe2\x82z", BAD BAD "z"},
    {"\xf0\x9f\x93", BAD BAD BAD},
    {"\xf0\x9f\x93\xc3\xbc", BAD BAD BAD "\xc3\xbc"},
    /* overlong */
    {"\xc0\x80", BAD BAD},
    {"\xc1\xbf", BAD BAD},
    {"\xe0\x9f\xbf", BAD BAD BAD},
    {"\xf0\x8f\xbf\xbf", BAD BAD BAD BAD},
    /* surrogates, and past the last code point */
    {"\xed\xa0\x80", BAD BAD BAD},
    {"\xed\xbf\xbf", BAD BAD BAD},
    {"\xf4\x90\x80\x80", BAD BAD BAD BAD},
    {"\xf5\x80\x80\x80", BAD BAD BAD BAD},
    {"\xf8\x88\x80\x80\x80", BAD BAD BAD BAD BAD},
};

START_TEST(output_string_is_utf_8)
{
    json_t *json = json_output_string(strings[_i].bytes);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json), strings[_i].string);
    json_decref(json);
}
END_TEST

START_TEST(output_line_is_printable_ascii)
{
    struct capture out = capture_begin(stdout);
    output_line("%s", "a\x1b[2J\n\"\\\x7f\xe2\x80\xae%n");
    ck_assert_str_eq(capture_end(&out),
                     "a\\x1b[2J\\x0a\\x22\\x5c\\x7f\\xe2\\x80\\xae%n\n");
}
END_TEST

START_TEST(output_json_is_one_ascii_document)
{
    struct capture out = capture_begin(stdout);
    ck_assert(json_output_print(
        json_pack("{s:o}", "a", json_output_string("\xe2\x80\xae\x1b\xff"))));
    const char *text = capture_end(&out);
    ck_assert_str_eq(text, "{\n  \"a\": \"\\u202E\\u001B\\uFFFD\"\n}\n");
}
END_TEST

START_TEST(output_json_to_a_full_disk_fails)
{
    struct capture err = capture_begin(stderr);
    struct capture out = capture_begin(stdout);
    ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
    bool written = json_output_print(json_pack("{s:s}", "a", "b"));
    (void)capture_end(&out);
    clearerr(stdout);
    const char *text = capture_end(&err);
    ck_assert(!written);
    ck_assert_str_eq(text, "mailbrake: can't write the answer\n");
}
END_TEST

START_TEST(output_json_without_memory_says_so)
{
    struct capture err = capture_begin(stderr);
    bool written = json_output_print(NULL);
    const char *text = capture_end(&err);
    ck_assert(!written);
    ck_assert_str_eq(text, "mailbrake: can't write the answer\n");
}
END_TEST

START_TEST(output_problems_are_clean_lines)
{
    struct problems problems = {0};
    problems_error(&problems, "/etc/x\n", 3, "\"%s\" isn't \\ good",
                   "a\x1b[31m\x9b"
                   "2J\xc2\x9b\xe2\x80\xae");
    problems_warning(&problems, "", 0, "careful");
    struct capture err = capture_begin(stderr);
    output_problems(&problems);
    const char *text = capture_end(&err);
    ck_assert_str_eq(text,
                     "/etc/x\\x0a:3: \"a\\x1b[31m\\x9b2J\\xc2\\x9b\\xe2\\x80\\xae\" "
                     "isn't \\ good\nwarning: careful\n");
    problems_clear(&problems);
}
END_TEST

START_TEST(output_problems_count_what_is_not_shown)
{
    struct problems problems = {0};
    for (int i = 0; i < PROBLEMS_MAX + 7; i++)
        problems_error(&problems, "", 0, "e");
    struct capture err = capture_begin(stderr);
    output_problems(&problems);
    const char *text = capture_end(&err);
    ck_assert_ptr_nonnull(strstr(text, "mailbrake: 7 more problems are not shown\n"));
    problems_clear(&problems);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output");
    TCase *cases = tcase_create("output");
    tcase_add_loop_test(cases, output_string_is_utf_8, 0,
                        (int)(sizeof strings / sizeof strings[0]));
    tcase_add_test(cases, output_line_is_printable_ascii);
    tcase_add_test(cases, output_json_is_one_ascii_document);
    tcase_add_test(cases, output_json_to_a_full_disk_fails);
    tcase_add_test(cases, output_json_without_memory_says_so);
    tcase_add_test(cases, output_problems_are_clean_lines);
    tcase_add_test(cases, output_problems_count_what_is_not_shown);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
