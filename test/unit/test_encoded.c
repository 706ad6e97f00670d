/* RFC 2047, and what mailers make of it. */
#include "policy/encoded.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "policy/charset.h"

#include "linear.h"
#include "run.h"

#define BAD "\xef\xbf\xbd"

static const struct {
    const char *value;
    const char *text;
} cases[] = {
    {"", ""},
    {"plain text", "plain text"},
    {"M\xc3\xbcller", "Müller"},
    /* B and Q, in any case, with a language (RFC 2231 5) */
    {"=?UTF-8?B?TcO8bGxlcg==?=", "Müller"},
    {"=?utf-8?b?TcO8bGxlcg==?=", "Müller"},
    {"=?utf-8?Q?M=C3=BCller?=", "Müller"},
    {"=?utf-8?q?M=c3=bcller?=", "Müller"},
    {"=?utf-8*de?q?M=C3=BCller?=", "Müller"},
    {"=?us-ascii?q?a_b=5Fc?=", "a b_c"},
    {"=?iso-8859-1?q?M=FCller?=", "Müller"},
    {"=?ISO-8859-1?B?TfxsbGVy?=", "Müller"},
    /* the examples of RFC 2047 8 */
    {"(=?ISO-8859-1?Q?a?=)", "(a)"},
    {"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
    {"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"},
    {"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"},
    {"(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"},
    {"(=?ISO-8859-1?Q?a_b?=)", "(a b)"},
    {"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"},
    {"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n "
     "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
     "If you can read this you understand the example."},
    /* a character in two words (Outlook); two words without a blank */
    {"=?UTF-8?B?TcM=?= =?UTF-8?B?vGxsZXI=?=", "Müller"},
    {"=?UTF-8?Q?M=C3?=\n\t=?utf-8?Q?=BCller?=", "Müller"},
    {"=?UTF-8?Q?a?==?UTF-8?Q?b?=", "ab"},
    {"Re: =?utf-8?q?a?= and =?utf-8?q?b?=", "Re: a and b"},
    {"in=?utf-8?q?si?=de", "inside"},
    {"=?utf-8?q?\?=", ""},
    {"a =?utf-8?q?\?= b", "a  b"},
    /* of the world */
    {"=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本"},
    {"=?Shift_JIS?B?k/qWew==?=", "日本"},
    {"=?EUC-JP?B?xvzL3A==?=", "日本"},
    {"=?GB2312?B?1tDOxA==?=", "中文"},
    {"=?gbk?B?1tDOxA==?=", "中文"},
    {"=?big5?B?pKSk5Q==?=", "中文"},
    {"=?ks_c_5601-1987?B?x9GxuQ==?=", "한국"},
    {"=?koi8-r?B?8NLJ18XU?=", "Привет"},
    {"=?windows-1251?Q?=CF=F0=E8=E2=E5=F2?=", "Привет"},
    {"=?windows-1252?Q?=80?=", "€"},
    {"=?windows-1258?Q?a=EC?=", "á"}, /* two bytes, and the last held back */
    {"=?iso-8859-15?Q?=A4?=", "€"},
    /* not known: its bytes are taken for UTF-8, and it can't be told by its name */
    {"=?x-unknown?q?M=C3=BCller?=", "Müller"},
    {"=?x-unknown?b?TcO8bGxlcg==?=", "Müller"},
    {"=?utf-7?q?a?=", "a"},
    {"=?../../x?q?a?=", "a"},
    {"=?UTF-8//IGNORE?q?a?=", "a"},
    /* bad bytes */
    {"\xff", BAD},
    {"=?utf-8?q?a=FFb?=", "a" BAD "b"},
    {"=?utf-8?q?=C3?=", BAD},
    {"=?us-ascii?q?=FF?=", BAD},
    {"=?shift_jis?q?=81?=", BAD},
    {"=?euc-jp?q?=FF=FFa?=", BAD BAD "a"},
    {"=?utf-8?q?=ED=A0=80?=", BAD BAD BAD},
    /* broken encodings */
    {"=?utf-8?q?a=?=", "a="},
    {"=?utf-8?q?a=4?=", "a=4"},
    {"=?utf-8?q?=ZZ=41?=", "=ZZA"},
    {"=?utf-8?q?a b?=", "a b"},
    {"=?utf-8?b?TcO8bGxlcg?=", "Müller"},
    {"=?utf-8?b?TcO8 bGxl\r\n cg==?=", "Müller"},
    {"=?utf-8?b?YQ==YQ==?=", "aa"},
    {"=?utf-8?b?Y?=", ""},
    {"=?utf-8?b?****?=", ""},
    /* none */
    {"=?", "=?"},
    {"=?utf-8", "=?utf-8"},
    {"=?utf-8?", "=?utf-8?"},
    {"=?utf-8?q", "=?utf-8?q"},
    {"=?utf-8?q?", "=?utf-8?q?"},
    {"=?utf-8?q?a", "=?utf-8?q?a"},
    {"=?utf-8?q?a?", "=?utf-8?q?a?"},
    {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
    {"=?utf-8?qq?a?=", "=?utf-8?qq?a?="},
    {"=??q?a?=", "=??q?a?="},
    {"=?a b?q?a?=", "=?a b?q?a?="},
    {"=?=?utf-8?q?a?=", "=?a"},
    {"what=? =?utf-8?q?a?=", "what=? a"},
    {"a=?=b", "a=?=b"},
};

START_TEST(encoded_is_read_as_people_do)
{
    struct text out = {0};
    encoded_decode(cases[_i].value, strlen(cases[_i].value), &out);
    ck_assert(!out.failed);
    ck_assert_str_eq(text_string(&out), cases[_i].text);
    text_clear(&out);
}
END_TEST

START_TEST(encoded_may_hold_a_nul)
{
    static const char value[] = "=?utf-8?q?a=00b?=";
    struct text out = {0};
    encoded_decode(value, sizeof value - 1, &out);
    ck_assert_uint_eq(out.length, 3);
    ck_assert_mem_eq(out.data, "a\0b", 3);
    text_clear(&out);
}
END_TEST

static const char *const names[] = {
    "iso-8859-1",     "iso-8859-15",  "windows-1252", "cp1252",       "latin1",
    "iso8859-1",      "iso-8859-2",   "iso-8859-3",   "iso-8859-4",   "iso-8859-5",
    "iso-8859-6",     "iso-8859-7",   "iso-8859-8",   "iso-8859-8-i", "iso-8859-9",
    "iso-8859-10",    "iso-8859-13",  "iso-8859-14",  "iso-8859-16",  "windows-874",
    "tis-620",        "windows-1250", "windows-1251", "windows-1253", "windows-1254",
    "windows-1255",   "windows-1256", "windows-1257", "windows-1258", "koi8-r",
    "koi8-u",         "macintosh",    "gb2312",       "gbk",          "gb18030",
    "big5",           "euc-jp",       "Shift_JIS",    "iso-2022-jp",  "EUC-KR",
    "ks_c_5601-1987",
};

/* Each is one that the system converts, and not taken for UTF-8. */
START_TEST(encoded_charset_is_there)
{
    struct charsets charsets = {0};
    struct text out = {0};
    const struct charset *charset = charset_find(names[_i], strlen(names[_i]));
    ck_assert_ptr_nonnull(charset);
    charset_add(&charsets, charset, "abc", 3, &out);
    ck_assert_str_eq(text_string(&out), "abc");
    ck_assert_uint_eq(charsets.count, 1);
    charsets_clear(&charsets);
    text_clear(&out);
}
END_TEST

START_TEST(encoded_opens_few_charsets)
{
    struct charsets charsets = {0};
    struct text out = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        charset_add(&charsets, charset_find(names[i], strlen(names[i])), "a", 1, &out);
    ck_assert_uint_eq(charsets.count, CHARSETS_OPEN_MAX);
    ck_assert_uint_eq(out.length, sizeof names / sizeof names[0]);
    charsets_clear(&charsets);
    text_clear(&out);
}
END_TEST

static const char *const hard[] = {
    "=?",
    "=?a?q?",
    "=?a?q?=",
    "=?a?q",
    "=?a",
    "?",
    "?=",
    "=?utf-8?q?a?= ",
    "=?utf-8?q?\?=",
    "=?utf-8?b?////?=",
    "=?koi8-r?q?a?= =?koi8-u?q?b?= ",
    "=?iso-2022-jp?q?=1B$B?= ",
    "=?euc-jp?q?=FF=FF?=",
    "=?x?q?=FF?=",
    "=?utf-8?q?",
    "=?utf-8?q?\xff",
    "\xf0\x9f\x98",
    " ",
    "=?iso-8859-1?q?a?= =?iso-8859-2?q?a?= =?iso-8859-3?q?a?= =?iso-8859-4?q?a?= "
    "=?iso-8859-5?q?a?= =?iso-8859-6?q?a?= =?iso-8859-7?q?a?= =?iso-8859-8?q?a?= "
    "=?iso-8859-9?q?a?= =?iso-8859-10?q?a?= ",
};

static void work(const char *value)
{
    struct text out = {0};
    encoded_decode(value, strlen(value), &out);
    ck_assert(!out.failed);
    ck_assert(utf8_is_valid(text_string(&out), out.length));
    text_clear(&out);
}

START_TEST(encoded_is_linear)
{
    linear_check(work, hard[_i]);
}
END_TEST

START_TEST(encoded_noise_is_valid_utf8)
{
    static const char *const pieces[] = {
        "=?",   "utf-8", "iso-2022-jp", "big5",   "gb18030", "?q?",  "?B?",
        "?=",   "=FF",   "=8",          "\x1b$B", "=1B",     "\xe3", "\x81",
        "\xff", " ",     "_",           "\r\n\t", "=",       "?",    "AbC/",
        "x",    "*en",   "=00",         "euc-kr",
    };
    unsigned seed = 20181213;
    for (int round = 0; round < 5000; round++) {
        struct text value = {0};
        struct text out = {0};
        int count = rand_r(&seed) % 24;
        for (int i = 0; i < count; i++)
            text_add_string(
                &value,
                pieces[(size_t)rand_r(&seed) % (sizeof pieces / sizeof pieces[0])]);
        encoded_decode(text_string(&value), value.length, &out);
        ck_assert(!out.failed);
        ck_assert(utf8_is_valid(text_string(&out), out.length));
        text_clear(&value);
        text_clear(&out);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("encoded");
    TCase *tcase = tcase_create("encoded");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, encoded_is_read_as_people_do, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, encoded_may_hold_a_nul);
    tcase_add_loop_test(tcase, encoded_charset_is_there, 0,
                        (int)(sizeof names / sizeof names[0]));
    tcase_add_test(tcase, encoded_opens_few_charsets);
    tcase_add_loop_test(tcase, encoded_is_linear, 0, (int)(sizeof hard / sizeof hard[0]));
    tcase_add_test(tcase, encoded_noise_is_valid_utf8);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
