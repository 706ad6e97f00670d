/* Who may be told, what is one word, and what an MTA's list shows of an address. */
#include "base/smtp_address.h"
#include "run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(smtp_address_tells_whom_smtp_can)
{
    static const char *const good[] = {
        "ann@district.example",
        "o'brien@district.example",
        "|x@district.example",
        "a`id`@district.example",
        "/tmp/x@district.example",
        "a+tag@district.example",
        "%n%s@district.example",
        "\"a b\"@district.example",
        "\"|/bin/sh -c 'x'\"@district.example",
        "\"a@b\"@district.example",
        "\"a\\\"b\\\\\"@district.example",
        "\"-x\"@district.example",
        "\"\"@district.example",
        "j\xc3\xbcrgen@district.example",
        "\xd0\xb8\xd0\xbc\xd1\x8f@\xd0\xbf\xd1\x80\xd0\xb8.example",
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "a@b",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(smtp_address_is_valid(good[i]), "%s", good[i]);
}
END_TEST

START_TEST(smtp_address_tells_nobody_else)
{
    static const char *const bad[] = {
        "",        "ann",         "@",          "a@",
        "@b",      "a@b@c",       "<a@b>",      "a,b@c",
        "a;b@c",   "a(b)@c",      "a:b@c",      ":include:/x@b",
        "a\\@b",   "a>@b",        "a b@c",      "a@b c",
        " a@b",    "a@b ",        "-x@b",       "--help@b",
        "\"a@b",   "\"a\"b@c",    "a\"b\"@c",   "\"a\nb\"@c",
        "a\n@b",   "a\r@b",       "a@b\n",      "\"\x1b[2J\"@c",
        "a\x7f@b", "a\xc2\x85@b", "a\xff@b",    "a@\xff",
        "a@[",     "a@[]",        "a@[1.2.3.4", "a@b\"c",
        "a@b,c",   "a@b..c",      ".a@b",       "a.@b",
        "a..b@c",  "a@.b",        "a@b.",       "\"a\\\"@b",
        "$(id)@b",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!smtp_address_is_valid(bad[i]), "took %s", bad[i]);
}
END_TEST

START_TEST(smtp_address_told_has_a_length)
{
    char address[SMTP_ADDRESS_MAX + 2];
    memset(address, 'a', sizeof address);
    memcpy(address + SMTP_ADDRESS_MAX - 2, "@b", 3);
    ck_assert(smtp_address_is_valid(address));
    memset(address, 'a', sizeof address);
    memcpy(address + SMTP_ADDRESS_MAX - 1, "@b", 3);
    ck_assert(!smtp_address_is_valid(address));
}
END_TEST

START_TEST(smtp_address_words_keep_quoted_blanks)
{
    ck_assert_uint_eq(smtp_address_word("a@b c@d"), 3);
    ck_assert_uint_eq(smtp_address_word("\"a b\"@c d@e"), 7);
    ck_assert_uint_eq(smtp_address_word("sender=\"a \\\" b\"@c d"), 17);
    ck_assert_uint_eq(smtp_address_word(""), 0);
    ck_assert_uint_eq(smtp_address_word(" a"), 0);
    ck_assert_uint_eq(smtp_address_word("\"a b"), 0);
    ck_assert_uint_eq(smtp_address_word("a\"\\"), 0);
}
END_TEST

START_TEST(smtp_address_is_shown_as_the_mta_does)
{
    static const struct {
        const char *address, *shown;
    } same[] = {
        {"ann@own.example", "Ann@Own.example"},
        {"a b@own.example", "\"a b\"@own.example"},
        {"\"a b\"@own.example", "a b@own.example"},
        {"/tmp/x y\"q@own.example", "\"/tmp/x y\\\"q\"@own.example"},
        {"\x1b[2J\x7f\x01@x.example", "\"?[2J??\"@x.example"},
        {"j\xc3\xbcrgen@x.example", "j\xc3\xbcrgen@x.example"},
        {"j\xc3\xbcrgen@x.example", "j??rgen@x.example"},
        {"j\xfcrgen@x.example", "j\xef\xbf\xbdrgen@x.example"},
        {"a?b@x.example", "a?b@x.example"},
        {"", ""},
    };
    static const struct {
        const char *address, *shown;
    } other[] = {
        {"ann@own.example", "bob@own.example"},
        {"ann@own.example", ""},
        {"", "ann@own.example"},
        {"ann@own.example", "ann@own.exampl"},
        {"ann@own.exampl", "ann@own.example"},
        {"axb@x.example", "a?b@x.example"},
        {"axb@x.example", "a\xef\xbf\xbd@x.example"},
        {"j\xc3\xbcrgen@x.example", "j?rgen@x.example"},
        {"j\xc3\xbcrgen@x.example", "j\xc3\xb6rgen@x.example"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        ck_assert_msg(smtp_address_is_shown(same[i].address, same[i].shown), "%s",
                      same[i].shown);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        ck_assert_msg(!smtp_address_is_shown(other[i].address, other[i].shown), "%s",
                      other[i].shown);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("smtp_address");
    TCase *tcase = tcase_create("smtp_address");
    tcase_add_test(tcase, smtp_address_tells_whom_smtp_can);
    tcase_add_test(tcase, smtp_address_tells_nobody_else);
    tcase_add_test(tcase, smtp_address_told_has_a_length);
    tcase_add_test(tcase, smtp_address_words_keep_quoted_blanks);
    tcase_add_test(tcase, smtp_address_is_shown_as_the_mta_does);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
