/* What To, Cc and a few other fields say. Own domains are own and too. */
#include "policy/header.h"
#include "run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct domains own;

static void begin(void)
{
    ck_assert_int_eq(domains_add(&own, "own", NULL), STATUS_OK);
    ck_assert_int_eq(domains_add(&own, "too", NULL), STATUS_OK);
    ck_assert_int_eq(domains_set_delimiters(&own, "+"), STATUS_OK);
}

static void end(void)
{
    domains_clear(&own);
}

static const struct {
    const char *to;
    const char *cc;
    uint64_t visible;
    uint64_t external;
} shown[] = {
    {"", "", 0, 0},
    {" \r\n\t", ",;,", 0, 0},
    {"a@own", "b@else", 2, 1},
    {"a@own, a@own", "a@own", 1, 0},
    {"a@x", "a@x", 1, 1},
    {"A@OWN", "a@own", 1, 0},
    {"a@own.", "\"a\"@own", 1, 0},
    {"a@own,\r\n\ta@too,\r\n b@x", "", 3, 1},
    /* tags: of own domains nothing, of others part of the address */
    {"a+1@own, a+2@own", "a@own", 1, 0},
    {"a+1@x, a+2@x", "a@x", 3, 3},
    /* names, groups, comments, encoded words */
    {"\"Smith, Joe (x@y)\" <a@own>", "", 1, 0},
    {"\"boss@own\" <a@x>", "", 2, 1},
    {"=?utf-8?q?M=C3=BCller,_x=40y?= <a@x>", "=?utf-8?B?YUB4?= <a@x>", 1, 1},
    {"=?utf-8?q?a?=\r\n =?utf-8?q?b?= <a@x>", "", 1, 1},
    {"Team: a@own, b@own;, c@x", "", 3, 1},
    {"A: a@x; B: b@x;", "C:;", 2, 2},
    {"undisclosed-recipients:;", "undisclosed-recipients: ;", 0, 0},
    {"a@x (b@x, c@x), (d@x) e@x", "", 2, 2},
    {"a(b@x)@x", "a@x", 1, 1},
    {"<@r1,@r2:a@x>", "a@x", 1, 1},
    {"<>, a@x", "", 1, 1},
    {"<a@x", "a@x>, b@x", 2, 2},
    {"Joe <a@x> Sue <b@x>", "", 2, 2},
    {"a@x; b@x", "", 2, 2},
    {"\"a@b\"@x, \"a,b\"@x", "", 2, 2},
    /* a name without a domain is one of ours */
    {"root, Joe", "root@own", 2, 0},
    {"u@[192.0.2.1]", "u@[IPv6:fe80::1]", 2, 2},
    {"a@b\xc3\xbc"
     "cher.example",
     "a@xn--bcher-kva.example", 1, 1},
    {"@, <@>", "< >", 0, 0},
    {"a@x.own, a@ownx, a@xown", "", 3, 3},
    /* whatever stands between */
    {"a@e.x b@e.x\tc@e.x\r\n d@e.x\n\te@e.x", "", 5, 5},
    {"a@e.x|b@e.x | c@e.x|d@e.x|e@e.x", "", 5, 5},
    {"<a@e.x b@e.x|c@e.x>", "<d@e.x, e@e.x>", 5, 5},
    {"a@e.x/b@e.x&c@e.x!d@e.x", "e@e.x. a@e.x.", 5, 5},
    {"a@e.x<b@e.x>c@e.x", "d@e.x: e@e.x", 5, 5},
    {"a@e.x-b@e.x-c@e.x", "", 3, 3},
    {"a@e.x\xc2\xa0"
     "b@e.x\xe3\x80\x80"
     "c@e.x\xef\xbc\x8c"
     "d@e.x",
     "e\xef\xbc\xa0"
     "e.x",
     5, 5},
    {"\xe2\x80\xa2 a@e.x \xe2\x80\xa2 b@e.x",
     "\xc2\xab"
     "c@e.x\xc2\xbb",
     3, 3},
    {"Ann a@e.x Bob b@e.x", "", 2, 2},
    {"a @ e.x b . c @ e.x", "", 2, 2},
    {"mailto:a@e.x", "<mailto:b@e.x>", 2, 2},
    {"\"a b\"@e.x \"c\".d@e.x", "", 2, 2},
    /* in names, comments, groups and encoded words */
    {"\"a@e.x, b@e.x; c@e.x\" <d@own>", "", 4, 3},
    {"a@e.x b@e.x <d@own>", "", 3, 2},
    {"'a@e.x' <a@e.x>", "\"'b@e.x'\" <b@e.x>", 2, 2},
    {"'a@e.x', a@e.x", "", 1, 1},
    {"d@own (a@e.x, (b@e.x) c@e.x)", "", 4, 3},
    {"(a@e.x) root (b@e.x)", "", 3, 2},
    {"a@e.x b@e.x: c@own;", "", 3, 2},
    {"=?utf-8?q?a=40e=2Ex=2C_b=40e=2Ex?=", "", 2, 2},
    {"=?utf-8?B?YUBlLngsIGJAZS54?= <c@own>", "", 3, 2},
    {"=?utf-8?q?a=40e?=\r\n =?utf-8?q?=2Ex_b=40e=2Ex?= <c@own>", "", 3, 2},
    {"\"=?utf-8?q?a=40e=2Ex?=\" <c@own>", "", 2, 1},
    {"=?utf-8?q?=22?= <a@e.x>, =?utf-8?q?=22?= <b@e.x>", "", 2, 2},
    {"=?utf-8?q?=28?= <a@e.x>, <b@e.x>", "", 2, 2},
    {"\"Lunch@noon\" <a@own>", "(x@y) <b@own>", 2, 0},
    {"\"me @home.x\" <a@own>", "", 1, 0},
    {"\"boss@too\" <a@own>", "", 2, 0},
    /* a comma in a name without quotes */
    {"Bee, Ann <a@e.x>", "", 1, 1},
    {"Bee, Ann <a@e.x>, Cee, Dan <d@e.x>", "", 2, 2},
    {"Bee, Ann, PhD <a@own>", "", 1, 0},
    {"=?utf-8?q?Bee=2C?= Ann <a@e.x>", "=?utf-8?q?Bee=2C_Ann?= <a@e.x>", 1, 1},
    {"Bee, Ann <a@e.x>, root, Joe", "", 3, 1},
    {"root; Ann <a@e.x>", "Joe, b@e.x", 4, 2},
    {"root, <a@e.x>", "Joe, Ann <sue>", 3, 1},
};

START_TEST(header_counts_who_is_shown)
{
    struct header fields[] = {{"To", shown[_i].to}, {"cC", shown[_i].cc}};
    struct header_facts facts;
    memset(&facts, 0x5a, sizeof facts);
    ck_assert_int_eq(header_gather(fields, 2, &own, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.visible, shown[_i].visible);
    ck_assert_uint_eq(facts.visible_external, shown[_i].external);
    ck_assert(!facts.reply);
    ck_assert(!facts.automatic);
}
END_TEST

START_TEST(header_fields_of_one_name_add_up)
{
    struct header fields[] = {
        {"To", "a@x, b@x"}, {"TO", "b@x, c@x"}, {"Cc", "c@x"}, {"Bcc", "d@x"}};
    struct header_facts facts;
    ck_assert_int_eq(header_gather(fields, 4, &own, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.visible, 3);
}
END_TEST

START_TEST(header_without_own_domains)
{
    struct domains none = {0};
    struct header fields[] = {{"To", "root, a@x, A@X, a+b@x"}};
    struct header_facts facts;
    ck_assert_int_eq(header_gather(fields, 1, &none, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.visible, 3);
    ck_assert_int_eq(header_gather(NULL, 0, &none, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.visible, 0);
}
END_TEST

static const struct {
    const char *name;
    const char *value;
    bool reply;
    bool automatic;
} flags[] = {
    {"In-Reply-To", "<1@x>", true, false},
    {"in-reply-to", " \r\n <1@x>", true, false},
    {"In-Reply-To", " \r\n\t", false, false},
    {"References", "", false, false},
    {"REFERENCES", "x", true, false},
    {"Auto-Submitted", "auto-replied", false, true},
    {"Auto-Submitted", "auto-generated; x=y", false, true},
    {"Auto-Submitted", "no", false, false},
    {"Auto-Submitted", " NO ", false, false},
    {"Auto-Submitted", "no; x=y", false, false},
    {"Auto-Submitted", "no(really)", false, false},
    {"Auto-Submitted", "nobody", false, true},
    {"Auto-Submitted", "(no?) no", false, false},
    {"Auto-Submitted", "n\r\n o", false, false},
    {"Auto-Submitted", "no thanks", false, false},
    {"Auto-Submitted", "=?us-ascii?q?no?=", false, false},
    {"Auto-Submitted", "=?us-ascii?q?auto-?=\r\n =?us-ascii?q?replied?=", false, true},
    {"Auto-Submitted", "=?us-ascii?q?_?=", false, false},
    {"Auto-Submitted", "(comment)", false, false},
    {"Precedence", "bu\r\n\tlk", false, true},
    {"Precedence", "(a (b)) =?utf-8?b?YnVsaw==?=", false, true},
    {"Precedence", "list or so", false, true},
    {"List-Id", "=?utf-8?q?All?= <x.own>", false, true},
    {"In-Reply-To", "=?utf-8?q?_?=", false, false},
    {"References", "=?utf-8?q?=3C1=40x=3E?=", true, false},
    {"Bcc", "x", false, false},
    /* 22 bytes begin a thread, each answer adds five */
    {"Thread-Index", "AdR9AAAAAQIDBAUGBwgJCgsMDQ4PEA==", false, false},
    {"Thread-Index", "AdR9AAAAAQIDBAUGBwgJCgsMDQ4PEAAAAAAB", true, false},
    {"Thread-Index", "AdR9", false, false},
    {"Auto-Submitted", "\r\n ", false, false},
    {"Precedence", "bulk", false, true},
    {"Precedence", " List", false, true},
    {"precedence", "JUNK", false, true},
    {"Precedence", "bulky", false, false},
    {"Precedence", "first-class", false, false},
    {"Precedence", "", false, false},
    {"List-Id", "<x.own>", false, true},
    {"Subject", "Re: x", false, false},
};

START_TEST(header_tells_replies_and_automata)
{
    struct header fields[] = {{flags[_i].name, flags[_i].value}};
    struct header_facts facts;
    ck_assert_int_eq(header_gather(fields, 1, &own, &facts), STATUS_OK);
    ck_assert_int_eq(facts.reply, flags[_i].reply);
    ck_assert_int_eq(facts.automatic, flags[_i].automatic);
    ck_assert_uint_eq(facts.visible, 0);
}
END_TEST

static const struct {
    struct header fields[4];
    const char *thread;
    bool reply;
} threads[] = {
    {{{"Message-ID", "<m@x>"}, {"In-Reply-To", "<i@x>"}, {"References", "<r@x> <i@x>"}},
     "r@x",
     true},
    {{{"references", "<r@x>"}, {"in-reply-to", "<i@x>"}, {"message-id", "<m@x>"}},
     "r@x",
     true},
    {{{"In-Reply-To", "<i@x>"}, {"Message-ID", "<m@x>"}}, "i@x", true},
    {{{"Message-Id", "<m@x>"}}, "m@x", false},
    {{{"Subject", "<s@x>"}}, "", false},
    /* a field without an id leaves it to the next kind */
    {{{"References", ""}, {"In-Reply-To", "<i@x>"}}, "i@x", true},
    {{{"References", "<> (a@x)"}, {"In-Reply-To", "none"}, {"Message-ID", "<m@x>"}},
     "m@x",
     true},
    /* of several the first that names one */
    {{{"References", "<1@x>"}, {"References", "<2@x>"}}, "1@x", true},
    {{{"References", " "}, {"References", "<2@x>"}, {"References", "<3@x>"}},
     "2@x",
     true},
    {{{"Message-ID", "<1@x>"}, {"Message-ID", "<2@x>"}}, "1@x", false},
    /* encoded, or folded in the middle of a word */
    {{{"References", "=?us-ascii?q?=3Cr=40x=3E?= <i@x>"}}, "r@x", true},
    {{{"In-Reply-To", "=?utf-8?B?PGlA?=\r\n =?utf-8?B?eD4=?="}}, "i@x", true},
    {{{"Message-ID", "<=?utf-8?q?m=40?=\r\n\t=?utf-8?q?x?=>"}}, "m@x", false},
    {{{"References", "<r\r\n @x>"}}, "r@x", true},
    /* what answers share with Outlook; References before it, all else behind */
    {{{"Thread-Index", " AdR9AAAAAQID\r\n\tBAUGBwgJCgsMDQ4PEA=="},
      {"Message-ID", "<m@x>"}},
     "#01d47d0000000102030405060708090a0b0c0d0e0f10",
     false},
    {{{"In-Reply-To", "<i@x>"}, {"thread-index", "AdR9AAAAAQIDBAUGBwgJCgsMDQ4PEAAAAAAB"}},
     "#01d47d0000000102030405060708090a0b0c0d0e0f10",
     true},
    {{{"Thread-Index", "AdR9AAAAAQIDBAUGBwgJCgsMDQ4PEAAAAAAB"}, {"References", "<r@x>"}},
     "r@x",
     true},
    {{{"Thread-Index", "=?utf-8?q?AdR9AAAAAQIDBAUGBwgJCgsMDQ4PEAAAAAAC?="}},
     "#01d47d0000000102030405060708090a0b0c0d0e0f10",
     true},
    {{{"Thread-Index", "soon"}, {"Message-ID", "<m@x>"}}, "m@x", false},
    /* who was answered is no message */
    {{{"In-Reply-To", "Ann <ann@e.example>'s message of \"Mon\" <i@x>"}}, "i@x", true},
};

START_TEST(header_finds_the_thread)
{
    size_t count = 0;
    struct header_facts facts;
    while (count < 4 && threads[_i].fields[count].name != NULL)
        count++;
    ck_assert_int_eq(header_gather(threads[_i].fields, count, &own, &facts), STATUS_OK);
    ck_assert_str_eq(thread_name(&facts.links), threads[_i].thread);
    ck_assert_int_eq(facts.reply, threads[_i].reply);
    ck_assert(!facts.automatic);
}
END_TEST

START_TEST(header_takes_the_first_subject)
{
    struct header fields[] = {{"To", "a@x"}, {"subject", "one"}, {"Subject", "two"}};
    struct header_facts facts;
    ck_assert_int_eq(header_gather(fields, 3, &own, &facts), STATUS_OK);
    ck_assert_str_eq(facts.subject, "one");
    ck_assert_int_eq(header_gather(fields, 1, &own, &facts), STATUS_OK);
    ck_assert_ptr_null(facts.subject);
    ck_assert_str_eq(thread_name(&facts.links), "");
}
END_TEST

START_TEST(header_flags_once_set_stay)
{
    struct header fields[] = {{"Auto-Submitted", "auto-replied"},
                              {"Precedence", "x"},
                              {"Auto-Submitted", "no"},
                              {"References", "<1@x>"},
                              {"In-Reply-To", ""}};
    struct header_facts facts;
    ck_assert_int_eq(header_gather(fields, 5, &own, &facts), STATUS_OK);
    ck_assert(facts.reply);
    ck_assert(facts.automatic);
}
END_TEST

START_TEST(header_is_wanted_by_name_alone)
{
    ck_assert(header_is_wanted("to"));
    ck_assert(header_is_wanted("CC"));
    ck_assert(header_is_wanted("list-id"));
    ck_assert(!header_is_wanted("Bcc"));
    ck_assert(header_is_wanted("message-id"));
    ck_assert(header_is_wanted("Thread-Index"));
    ck_assert(header_is_wanted("SUBJECT"));
    ck_assert(!header_is_wanted("Subjects"));
    ck_assert(!header_is_wanted("Received"));
    ck_assert(!header_is_wanted("To2"));
    ck_assert(!header_is_wanted(""));
}
END_TEST

/* Nobody makes mail unjudgeable by what it shows; it is shown all the same. */
START_TEST(header_too_long_address_is_a_strangers)
{
    char value[2000];
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    struct header fields[] = {{"To", "a@x"}, {"Cc", value}};
    struct header_facts facts = {.visible = 77};
    ck_assert_int_eq(header_gather(fields, 2, &own, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.visible, 2);
    ck_assert_uint_eq(facts.visible_external, 2);
    value[1000] = '\0';
    ck_assert_int_eq(header_gather(fields, 2, &own, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.visible, 2);
}
END_TEST

static const char *const hard[] = {
    "(",
    "\"",
    "<",
    ",",
    "(,",
    "\",",
    "<a@x>",
    "<@,@",
    "@[",
    "\\",
    "=?",
    "=?a?q?",
    ":",
    ";a",
    "a@b,(",
    "\"\"",
    "@a:",
    "a@x,\r\n\t",
    "\xc3\xbc@\xc3\xbc,",
    "a@",
    "a@x ",
    "a@x|",
    "@(",
    "\"a@b\" ",
    "(a@b)",
    "a,",
    "a,<",
    "a, b <c>, ",
    "\" (",
    "=?a?q?=40?=",
    "=?a?q?a_b?= ",
    "\xe2\x80\xa2",
};

/* A megabyte of each takes far below a second; quadratic work takes hours. */
START_TEST(header_is_linear)
{
    enum { SIZE = 1 << 20 };
    size_t length = strlen(hard[_i]);
    char *value = malloc(SIZE);
    ck_assert_ptr_nonnull(value);
    for (size_t at = 0; at < SIZE - 1; at++)
        value[at] = hard[_i][at % length];
    value[SIZE - 1] = '\0';
    struct header fields[] = {{"To", value}};
    struct header_facts facts;
    clock_t start = clock();
    enum status status = header_gather(fields, 1, &own, &facts);
    ck_assert(status == STATUS_OK || status == STATUS_LIMIT);
    ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 20);
    free(value);
}
END_TEST

START_TEST(header_counts_a_hundred_thousand)
{
    enum { COUNT = 100000, EACH = 16 };
    char *value = malloc((size_t)COUNT * EACH + 1);
    ck_assert_ptr_nonnull(value);
    char *at = value;
    for (int i = 0; i < COUNT; i++)
        at += snprintf(at, EACH + 1, "n%d@%s,", i, i % 4 == 0 ? "x" : "own");
    struct header fields[] = {{"To", value}, {"Cc", value}};
    struct header_facts facts;
    ck_assert_int_eq(header_gather(fields, 2, &own, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.visible, COUNT);
    ck_assert_uint_eq(facts.visible_external, COUNT / 4);
    free(value);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("header");
    TCase *cases = tcase_create("header");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, begin, end);
    tcase_add_loop_test(cases, header_counts_who_is_shown, 0,
                        (int)(sizeof shown / sizeof shown[0]));
    tcase_add_test(cases, header_fields_of_one_name_add_up);
    tcase_add_test(cases, header_without_own_domains);
    tcase_add_loop_test(cases, header_tells_replies_and_automata, 0,
                        (int)(sizeof flags / sizeof flags[0]));
    tcase_add_loop_test(cases, header_finds_the_thread, 0,
                        (int)(sizeof threads / sizeof threads[0]));
    tcase_add_test(cases, header_takes_the_first_subject);
    tcase_add_test(cases, header_flags_once_set_stay);
    tcase_add_test(cases, header_is_wanted_by_name_alone);
    tcase_add_test(cases, header_too_long_address_is_a_strangers);
    tcase_add_loop_test(cases, header_is_linear, 0, (int)(sizeof hard / sizeof hard[0]));
    tcase_add_test(cases, header_counts_a_hundred_thousand);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
