/* Growing strings and ASCII helpers. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "run.h"

START_TEST(text_percent_keeps_what_is_plain)
{
    struct text text = {0};
    text_add_percent(&text, "A1 z/..\xc3\xa4?a@b", "@");
    ck_assert_str_eq(text_string(&text), "A1%20z%2F%2E%2E%C3%A4%3Fa@b");
    text_clear(&text);
}
END_TEST

START_TEST(text_empty_is_empty_string)
{
    struct text text = {0};
    ck_assert_str_eq(text_string(&text), "");
    text_reset(&text);
    text_clear(&text);
    ck_assert_ptr_null(text.data);
}
END_TEST

START_TEST(text_add_grows)
{
    struct text text = {0};
    for (int i = 0; i < 1000; i++)
        text_add(&text, "abc", 3);
    text_add(&text, "", 0);
    text_add_string(&text, "end");
    ck_assert_uint_eq(text.length, 3003);
    ck_assert_uint_eq(strlen(text.data), 3003);
    ck_assert_str_eq(text.data + 2997, "abcend");
    ck_assert(!text.failed);
    text_clear(&text);
}
END_TEST

START_TEST(text_on_a_buffer_moves_when_it_is_full)
{
    char buffer[4];
    struct text text = text_on(buffer, sizeof buffer);
    ck_assert_str_eq(text_string(&text), "");
    text_add_string(&text, "ab");
    text_add_byte(&text, 'c');
    ck_assert_ptr_eq(text.data, buffer);
    text_add_byte(&text, 'd');
    ck_assert_ptr_ne(text.data, buffer);
    ck_assert_str_eq(text.data, "abcd");
    for (int i = 0; i < 1000; i++)
        text_add_byte(&text, 'e');
    ck_assert_uint_eq(strlen(text.data), 1004);
    text_clear(&text);
    text = text_on(buffer, sizeof buffer);
    text_clear(&text);
    ck_assert_ptr_null(text.data);
}
END_TEST

START_TEST(text_printf_appends)
{
    struct text text = {0};
    text_printf(&text, "%s=%d", "a", 1);
    text_printf(&text, " %0100d", 7);
    ck_assert_uint_eq(text.length, 104);
    ck_assert_int_eq(strncmp(text.data, "a=1 000", 7), 0);
    text_clear(&text);
}
END_TEST

START_TEST(text_add_number_prints_any)
{
    struct text text = {0};
    text_add_number(&text, 0);
    text_add_number(&text, -7);
    text_add_number(&text, INT64_MAX);
    text_add_number(&text, INT64_MIN);
    ck_assert_str_eq(text_string(&text), "0-79223372036854775807-9223372036854775808");
    text_clear(&text);
}
END_TEST

START_TEST(text_join_cuts)
{
    char out[8];
    text_join(out, sizeof out, "ab:", "cd");
    ck_assert_str_eq(out, "ab:cd");
    text_join(out, sizeof out, "ab:", "cdefghi");
    ck_assert_str_eq(out, "ab:cdef");
    text_join(out, sizeof out, "abcdefghi", "j");
    ck_assert_str_eq(out, "abcdefg");
    text_join(out, 1, "a", "b");
    ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(text_reset_keeps_memory)
{
    struct text text = {0};
    text_add_string(&text, "something");
    size_t capacity = text.capacity;
    text_reset(&text);
    ck_assert_str_eq(text_string(&text), "");
    ck_assert_uint_eq(text.capacity, capacity);
    text_add_string(&text, "x");
    ck_assert_str_eq(text_string(&text), "x");
    text_clear(&text);
}
END_TEST

START_TEST(text_impossible_size_fails_and_sticks)
{
    struct text text = {0};
    text_add_string(&text, "kept");
    text_add(&text, NULL, SIZE_MAX / 2);
    ck_assert(text.failed);
    text_add_string(&text, "more");
    ck_assert_str_eq(text_string(&text), "kept");
    text_clear(&text);
}
END_TEST

START_TEST(text_grouped_numbers)
{
    char out[TEXT_GROUPED_SIZE];
    struct text text = {0};
    ck_assert_str_eq(text_grouped(0, out), "0");
    ck_assert_str_eq(text_grouped(999, out), "999");
    ck_assert_str_eq(text_grouped(1180000, out), "1,180,000");
    ck_assert_str_eq(text_grouped(-123456, out), "-123,456");
    ck_assert_str_eq(text_grouped(INT64_MAX, out), "9,223,372,036,854,775,807");
    text_add_string(&text, "to ");
    text_add_grouped(&text, 850000);
    ck_assert_str_eq(text_string(&text), "to 850,000");
    text_clear(&text);
}
END_TEST

START_TEST(text_escaped_is_one_clean_line)
{
    struct text text = {0};
    const char odd[] = "a\"b\\c\n\0\x1b\xff<~ ";
    text_add_escaped(&text, odd, sizeof odd - 1, 100);
    ck_assert_str_eq(text_string(&text), "a\\x22b\\x5cc\\x0a\\x00\\x1b\\xff<~ ");
    text_reset(&text);
    text_add_escaped(&text, "abcdef", 6, 3);
    ck_assert_str_eq(text_string(&text), "abc...");
    text_reset(&text);
    text_add_escaped(&text, "abc", 3, 3);
    ck_assert_str_eq(text_string(&text), "abc");
    text_clear(&text);
}
END_TEST

START_TEST(text_lower_is_ascii)
{
    char data[] = "AZaz09[@\xc4";
    text_lower_all(data, strlen(data));
    ck_assert_str_eq(data, "azaz09[@\xc4");
    ck_assert_int_eq(text_lower('Q'), 'q');
}
END_TEST

static const struct {
    const char *pattern;
    const char *data;
    char stop;
    bool matches;
} patterns[] = {
    {"", "", '\0', true},
    {"", "a", '\0', false},
    {"a", "a", '\0', true},
    {"a", "ab", '\0', false},
    {"*", "", '\0', true},
    {"*", "anything", '\0', true},
    {"**", "anything", '\0', true},
    {"press-*", "press-x", '\0', true},
    {"press-*", "press-", '\0', true},
    {"press-*", "pres", '\0', false},
    {"*ab", "aab", '\0', true},
    {"*ab*ab", "abxxabab", '\0', true},
    {"a*b*c", "aXbXbXc", '\0', true},
    {"a*b*c", "aXcXb", '\0', false},
    {"*@b", "a@b", '@', true},
    {"*", "a@b", '@', false},
    {"a*", "a@b", '@', false},
    {"*@*", "a@b", '@', true},
    {"*@*b", "a@c@b", '@', false},
    {"*b", "a@b", '@', false},
};

START_TEST(text_matches_patterns)
{
    ck_assert_msg(text_matches(patterns[_i].pattern, patterns[_i].data,
                               patterns[_i].stop) == patterns[_i].matches,
                  "%s on %s", patterns[_i].pattern, patterns[_i].data);
}
END_TEST

START_TEST(text_matches_hard_pattern_in_bounded_time)
{
    char data[20001];
    memset(data, 'a', sizeof data - 1);
    data[sizeof data - 1] = '\0';
    ck_assert(!text_matches("*a*a*a*a*a*a*a*a*a*a*b", data, '\0'));
}
END_TEST

START_TEST(text_after_needs_the_whole_prefix)
{
    ck_assert_str_eq(text_after("login:bob", "login:"), "bob");
    ck_assert_str_eq(text_after("login:", "login:"), "");
    ck_assert_ptr_null(text_after("login", "login:"));
    ck_assert_ptr_null(text_after("", "login:"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *test = tcase_create("text");
    tcase_add_test(test, text_empty_is_empty_string);
    tcase_add_test(test, text_percent_keeps_what_is_plain);
    tcase_add_test(test, text_add_grows);
    tcase_add_test(test, text_on_a_buffer_moves_when_it_is_full);
    tcase_add_test(test, text_printf_appends);
    tcase_add_test(test, text_add_number_prints_any);
    tcase_add_test(test, text_join_cuts);
    tcase_add_test(test, text_reset_keeps_memory);
    tcase_add_test(test, text_impossible_size_fails_and_sticks);
    tcase_add_test(test, text_grouped_numbers);
    tcase_add_test(test, text_escaped_is_one_clean_line);
    tcase_add_test(test, text_lower_is_ascii);
    tcase_add_test(test, text_after_needs_the_whole_prefix);
    tcase_add_loop_test(test, text_matches_patterns, 0,
                        (int)(sizeof patterns / sizeof patterns[0]));
    tcase_add_test(test, text_matches_hard_pattern_in_bounded_time);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
