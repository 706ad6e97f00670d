/* Bytes that strangers chose, and what of them is UTF-8. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "run.h"

static void expect(const char *data, size_t length, const char *clean)
{
    struct text text = {0};
    utf8_add(&text, data, length);
    ck_assert_str_eq(text_string(&text), clean);
    ck_assert(utf8_is_valid(clean, strlen(clean)));
    ck_assert_int_eq(utf8_is_valid(data, length), strcmp(clean, data) == 0);
    text_clear(&text);
}

START_TEST(utf8_keeps_what_is_valid)
{
    static const char *const texts[] = {"",
                                        "plain",
                                        "gr\xc3\xbc\xc3\x9f",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x93\xa7",
                                        "\xed\x9f\xbf",
                                        "\xf4\x8f\xbf\xbf",
                                        "\xef\xbf\xbd"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], strlen(texts[i]), texts[i]);
}
END_TEST

#define R "\xef\xbf\xbd"

START_TEST(utf8_replaces_what_is_not)
{
    static const char *const texts[][2] = {
        {"a\xff z", "a" R " z"},
        {"\x80", R},
        {"\xc3", R},
        {"\xc3(", R "("},
        {"\xc0\xaf", R R},             /* overlong */
        {"\xe0\x80\xaf", R R R},       /* overlong */
        {"\xed\xa0\x80", R R R},       /* a surrogate */
        {"\xf4\x90\x80\x80", R R R R}, /* past U+10FFFF */
        {"\xf0\x9f\x93", R R R},       /* cut short */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i][0], strlen(texts[i][0]), texts[i][1]);
}
END_TEST

START_TEST(utf8_stops_at_the_length)
{
    struct text text = {0};
    utf8_add(&text, "\xe2\x82\xac", 2);
    ck_assert_str_eq(text_string(&text), R R);
    text_clear(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tcase = tcase_create("utf8");
    tcase_add_test(tcase, utf8_keeps_what_is_valid);
    tcase_add_test(tcase, utf8_replaces_what_is_not);
    tcase_add_test(tcase, utf8_stops_at_the_length);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
