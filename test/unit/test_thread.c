/* Which message-id a field names, whoever wrote it. */
#include "policy/thread.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linear.h"
#include "run.h"

static const struct {
    const char *value;
    const char *thread; /* NULL: the field names none */
} cases[] = {
    /* Gmail, Outlook and Exchange, Apple Mail, mailman, sendmail */
    {"<CAJ4Zx+8kQ=9tW_b7=a@mail.gmail.com>", "CAJ4Zx+8kQ=9tW_b7=a@mail.gmail.com"},
    {"<BYAPR01MB4438A1@BYAPR01MB4438.prod.exchangelabs.com>\n\t"
     "<DM6PR0@DM6PR08.namprd08.prod.outlook.com>",
     "BYAPR01MB4438A1@BYAPR01MB4438.prod.exchangelabs.com"},
    {"\r\n <9D1C5E2B-0A4C-4D55-8A10-1B2C3D4E5F60@icloud.com>",
     "9D1C5E2B-0A4C-4D55-8A10-1B2C3D4E5F60@icloud.com"},
    {"<mailman.17.1541400000.2042.all@lists.example>",
     "mailman.17.1541400000.2042.all@lists.example"},
    {"<201811051455.wA5EtB1x012345@relay.example>",
     "201811051455.wA5EtB1x012345@relay.example"},
    {"<a@x><b@x>", "a@x"},
    {"<a@x>,<b@x>", "a@x"},
    /* folds, blanks, comments: the same id */
    {"<a.b@c.d>", "a.b@c.d"},
    {"\r\n\t<a.b@c.d>\r\n\t<e@f>", "a.b@c.d"},
    {"< a.b@c.d >", "a.b@c.d"},
    {"<a . b @ c . d>", "a.b@c.d"},
    {"<a.b\r\n @c.d>", "a.b@c.d"},
    {"(c) <a.b@c.d> (c)", "a.b@c.d"},
    {"(<x@y>)<a.b@c.d>", "a.b@c.d"},
    {"(a (<x@y>) \\) <x@y>)<a.b@c.d>", "a.b@c.d"},
    {"<a(>).b@(<)c.d>", "a.b@c.d"},
    {"<(c)a.b@c.d(c)>", "a.b@c.d"},
    /* obsolete forms */
    {"<\"a b\"@[127.0.0.1]>", "\"ab\"@[127.0.0.1]"},
    {"<\"a\r\n b\"@[127.0.0.1]>", "\"ab\"@[127.0.0.1]"},
    {"<\"a>b(c\"@d>", "\"a>b(c\"@d"},
    {"<\"a\\\">b\"@d>", "\"a\\\">b\"@d"},
    {"<a\\>b@d>", "a\\>b@d"},
    {"Your message of \"Mon, 5 Nov 2018 <x@y>\" <a@x>", "a@x"},
    {"joe@x.org's message of Monday <a@x>", "a@x"},
    /* the case is part of it */
    {"<A@X>", "A@X"},
    /* no brackets */
    {"a.b@c.d", "a.b@c.d"},
    {"  a.b@c.d e@f", "a.b@c.d"},
    {"(c) a.b@c.d(c)", "a.b@c.d"},
    {"a.b@c.d>", "a.b@c.d"},
    {"a.b@c.d,e@f", "a.b@c.d"},
    {"a.b@c.d\r\n e@f", "a.b@c.d"},
    {"a@x <>", "a@x"},
    {"Monday's message", NULL},
    {"Your message to joe@x", NULL},
    {"20181105", NULL},
    /* broken */
    {"<a@x", "a@x"},
    {"<a@x <b@x>", "a@x"},
    {"<<a@x>>", "a@x"},
    {"> <a@x>", "a@x"},
    {"<> <(c)> < \r\n > <a@x>", "a@x"},
    {"<20181105.17>", "20181105.17"},
    {"\"open <a@x>", "a@x"},
    {"(open <a@x>", "a@x"},
    {"(open \"both <a(b@x>", "a(b@x"},
    {"<a\"b@x>", "a\"b@x"},
    {"<a@x\\", "a@x\\"},
    {"\\<a@x>", "a@x"},
    {"", NULL},
    {" \r\n\t", NULL},
    {"<>", NULL},
    {"<", NULL},
    {"(<a@x>)", NULL},
    {"\"<a@x>\"", "\"<a@x>\""},
};

START_TEST(thread_is_the_first_id)
{
    char thread[THREAD_SIZE] = "untouched";
    enum status status = thread_find(cases[_i].value, thread);
    const char *wanted = cases[_i].thread;
    ck_assert_int_eq(status, wanted == NULL ? STATUS_NOT_FOUND : STATUS_OK);
    ck_assert_str_eq(thread, wanted == NULL ? "untouched" : wanted);
}
END_TEST

static const struct {
    const char *value;
    const char *thread; /* NULL: the field names none */
} parents[] = {
    {"<a@x>", "a@x"},
    {"<a@x> <b@x>", "a@x"},
    {"<a@x>, (and) <b@x>", "a@x"},
    {"Ann <ann@e.example>'s message of \"Mon, 5 Nov\" <a@x>", "a@x"},
    {"Ann <ann@e.example>'s message\r\n of \"<b@x>\" <a@x> (was <c@x>)", "a@x"},
    {"<ann@e.example>'s message <a@x>", "a@x"},
    {"\"Ann\" <ann@e.example> <a@x>", "a@x"},
    {"<a@x> from \"Ann\" at Nov 5", "a@x"},
    {"Your message of Monday <>", NULL},
    {"Ann <ann@e.example> of <> <a@x> < >", "a@x"},
    {"=?utf-8?q?Ann_=3Cann=40e=2Eexample=3E?= wrote <a@x>", "a@x"},
    {"a@x", "a@x"},
    {"Ann wrote", NULL},
    {"", NULL},
};

START_TEST(thread_parent_is_no_person)
{
    char thread[THREAD_SIZE] = "untouched";
    enum status status = thread_find_parent(parents[_i].value, thread);
    const char *wanted = parents[_i].thread;
    ck_assert_int_eq(status, wanted == NULL ? STATUS_NOT_FOUND : STATUS_OK);
    ck_assert_str_eq(thread, wanted == NULL ? "untouched" : wanted);
}
END_TEST

/* No message-id is spelled as an index is. */
START_TEST(thread_index_is_not_forged)
{
    char real[THREAD_SIZE];
    char forged[THREAD_SIZE];
    char value[THREAD_SIZE + 2];
    bool answers = true;
    ck_assert_int_eq(
        thread_find_index("AdR9AAAAAQIDBAUGBwgJCgsMDQ4PEA==", real, &answers), STATUS_OK);
    ck_assert(!answers);
    (void)snprintf(value, sizeof value, "<%s>", real);
    ck_assert_int_eq(thread_find(value, forged), STATUS_OK);
    ck_assert_str_ne(real, forged);
}
END_TEST

static void digest_of(const char *value, char thread[THREAD_SIZE])
{
    ck_assert_int_eq(thread_find(value, thread), STATUS_OK);
    ck_assert_int_eq(thread[0], '#');
    ck_assert_uint_eq(strspn(thread + 1, "0123456789abcdef"), 32);
    ck_assert_uint_eq(strlen(thread), 33);
}

START_TEST(thread_unprintable_is_a_digest)
{
    char one[THREAD_SIZE];
    char two[THREAD_SIZE];
    digest_of("<\xc3\xbc@x>", one);
    digest_of("<\r\n \xc3\xbc(c)@x>", two);
    ck_assert_str_eq(one, two);
    digest_of("<\xc3\xbd@x>", two);
    ck_assert_str_ne(one, two);
    digest_of("<\x1b[31m@x>", one);
    digest_of("<a\x7f@x>", one);
    digest_of("<\xff\xfe>", one);
    digest_of("\xe2\x80\xae@x", one);
}
END_TEST

/* Nobody writes an id that looks like the digest of another. */
START_TEST(thread_digest_is_not_forged)
{
    char real[THREAD_SIZE];
    char forged[THREAD_SIZE];
    char value[THREAD_SIZE + 2];
    digest_of("<\xff@x>", real);
    (void)snprintf(value, sizeof value, "<%s>", real);
    digest_of(value, forged);
    ck_assert_str_ne(real, forged);
}
END_TEST

START_TEST(thread_long_ids_stay_distinct)
{
    enum { LONG = 64 * 1024 };
    char *value = malloc(2 * LONG + 8);
    char one[THREAD_SIZE];
    char two[THREAD_SIZE];
    ck_assert_ptr_nonnull(value);
    memset(value, 'a', LONG);
    value[0] = '<';
    (void)strcpy(value + LONG, "@x>");
    digest_of(value, one);
    value[LONG - 1] = 'b';
    digest_of(value, two);
    ck_assert_str_ne(one, two);
    value[LONG - 1] = 'a';
    (void)strcpy(value + LONG, "\r\n @(c)x");
    digest_of(value, two);
    ck_assert_str_eq(one, two);

    /* the longest that is kept as it is */
    (void)strcpy(value + THREAD_SIZE, ">");
    ck_assert_int_eq(thread_find(value, one), STATUS_OK);
    ck_assert_uint_eq(strlen(one), THREAD_SIZE - 1);
    ck_assert_int_eq(one[0], 'a');
    (void)strcpy(value + THREAD_SIZE, "a>");
    digest_of(value, two);
    free(value);
}
END_TEST

static const char *const hard[] = {
    "(",      "\"",          "<",   "<>",   "< ",    "<(",   "<\"",
    "(<",     "\\",          "<\\", "<a>",  "<a@x",  "a@x ", " ",
    "<()>",   "\"\"",        "()",  "(\"<", "<(\"",  "=?",   "=?a?b?PGE+?= ",
    "x <a> ", ">",           "@",   "#",    "<\xff", "(()",  "\\\"",
    "\"\\\"", "<a@x>\r\n\t",
};

static void work(const char *value)
{
    char thread[THREAD_SIZE];
    bool answers;
    enum status status = thread_find(value, thread);
    ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    status = thread_find_parent(value, thread);
    ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    status = thread_find_index(value, thread, &answers);
    ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
}

START_TEST(thread_is_linear)
{
    linear_check(work, hard[_i]);
}
END_TEST

/* Any bytes at all: a thread is short and printable. */
START_TEST(thread_of_noise_is_harmless)
{
    static const char alphabet[] = "<<>>()\"\\@.,; \r\n\tab#\xc3\xbc\x01";
    unsigned seed = 20181105;
    for (int round = 0; round < 20000; round++) {
        char value[40];
        char thread[THREAD_SIZE] = "";
        size_t length = (size_t)rand_r(&seed) % (sizeof value - 1);
        for (size_t i = 0; i < length; i++)
            value[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        value[length] = '\0';
        bool found = thread_find(value, thread) == STATUS_OK;
        ck_assert_int_eq(found, thread[0] != '\0');
        for (const char *c = thread; *c != '\0'; c++)
            ck_assert(*c > ' ' && *c <= '~');
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("thread");
    TCase *tcase = tcase_create("thread");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, thread_is_the_first_id, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    tcase_add_loop_test(tcase, thread_parent_is_no_person, 0,
                        (int)(sizeof parents / sizeof parents[0]));
    tcase_add_test(tcase, thread_index_is_not_forged);
    tcase_add_test(tcase, thread_unprintable_is_a_digest);
    tcase_add_test(tcase, thread_digest_is_not_forged);
    tcase_add_test(tcase, thread_long_ids_stay_distinct);
    tcase_add_loop_test(tcase, thread_is_linear, 0, (int)(sizeof hard / sizeof hard[0]));
    tcase_add_test(tcase, thread_of_noise_is_harmless);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
