/* One mailbox, one spelling. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/domains.h"
#include "run.h"

static struct address parse(const char *raw, size_t length)
{
    struct address address;
    memset(&address, 0x5a, sizeof address);
    ck_assert_int_eq(address_parse(raw, length, &address), STATUS_OK);
    ck_assert_uint_eq(strlen(address.text), address.length);
    ck_assert_uint_le(address.at, address.length);
    if (address.at < address.length)
        ck_assert_int_eq(address.text[address.at], '@');
    return address;
}

static const struct {
    const char *raw;
    const char *text;
    const char *domain;
} spellings[] = {
    {"u@x", "u@x", "x"},
    {"U.Name@X.Example", "u.name@x.example", "x.example"},
    {"<U@x>", "u@x", "x"},
    {" u@x ", "u@x", "x"},
    {"\"u\"@x", "u@x", "x"},
    {"\"u.v\"@x", "u.v@x", "x"},
    {"<@r:u@x>", "u@x", "x"},
    {"<@r1,@r2:u@x>", "u@x", "x"},
    {"@r1, @r2 : u@x", "u@x", "x"},
    {"<@r:@s:u@x>", "u@x", "x"},
    {"<@[IPv6:::1]:u@x>", "u@x", "x"},
    {"u(c)@x", "u@x", "x"},
    {"u(a(b)c\\)d)@(e)x(f)", "u@x", "x"},
    {"(c) u @ x", "u@x", "x"},
    {"u . v @ x . y", "u.v@x.y", "x.y"},
    {"u@x\r\n ", "u@x", "x"},
    {"u@x.", "u@x", "x"},
    {"u@x..", "u@x", "x"},
    {"u+tag@x", "u+tag@x", "x"},
    {"Joe \"<j@k>\" (l@m) <u@x>", "u@x", "x"},
    {"Joe <Smith> <u@x>", "u@x", "x"},
    {"<<u@x>>", "u@x", "x"},
    {"<u@x", "u@x", "x"},
    {"u@x>", "u@x", "x"},
    {"\"a b\"@x", "\"a b\"@x", "x"},
    {"a b@x", "\"a b\"@x", "x"},
    {"a (c)  b@x", "\"a b\"@x", "x"},
    {"\"A\\b\"@x", "ab@x", "x"},
    {"\"a\\ b\"@x", "\"a b\"@x", "x"},
    {"a\\ b@x", "\"a b\"@x", "x"},
    {"\"a\\\"b\\\\c\"@x", "\"a\\\"b\\\\c\"@x", "x"},
    {"\"a\r\n b\"@x", "\"a b\"@x", "x"},
    {"\"a\n\tb\"@x", "\"a\tb\"@x", "x"},
    {"\"a\nb\"@x", "\"a\nb\"@x", "x"},
    {"\"a\"\"b\"@x", "ab@x", "x"},
    {"a\\@b@c", "\"a@b\"@c", "c"},
    {"\"a@b\"@c", "\"a@b\"@c", "c"},
    {"a@b@c", "\"a@b\"@c", "c"},
    {"a..b@x", "\"a..b\"@x", "x"},
    {"\"a..b\"@x", "\"a..b\"@x", "x"},
    {".a@x", "\".a\"@x", "x"},
    {"\"\"@x", "\"\"@x", "x"},
    {"@x", "@x", "x"},
    {"<@X.>", "@x", "x"},
    {"bob", "bob", ""},
    {"\"Bob Smith\"", "\"bob smith\"", ""},
    {"\"a@b\"", "\"a@b\"", ""},
    {"bob@", "bob", ""},
    {"bob@.", "bob", ""},
    {"", "", ""},
    {"<>", "", ""},
    {" < > ", "", ""},
    {"(only a comment)", "", ""},
    {"@", "", ""},
    {"\"\"", "\"\"", ""},
    {"u@[127.0.0.1]", "u@[127.0.0.1]", "[127.0.0.1]"},
    {"u@[ 127.0.0.1 ] (c)", "u@[127.0.0.1]", "[127.0.0.1]"},
    {"<u@[IPv6:FE80::1]>", "u@[ipv6:fe80::1]", "[ipv6:fe80::1]"},
    {"u@[a@b]", "\"u@[a\"@b]", "b]"},
    {"u@b\xc3\xbc"
     "cher.example",
     "u@xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"u@B\xc3\x9c"
     "CHER.Example.",
     "u@xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"u@XN--BCHER-KVA.example", "u@xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"u@x\xe3\x80\x82y", "u@x.y", "x.y"}, /* ideographic full stop */
    {"u@a\xef\xbc\xa0"
     "b",
     "u@a\xef\xbc\xa0"
     "b",
     "a\xef\xbc\xa0"
     "b"}, /* wide '@' */
    {"J\xc3\x9c@x", "j\xc3\x9c@x", "x"},
    {"\xff\xfe@X", "\xff\xfe@x", "x"},
    {"u@\xff\xfe.X", "u@\xff\xfe.x", "\xff\xfe.x"},
    {"u@x y", "u@x y", "x y"},
    {"a,b@x", "\"a,b\"@x", "x"},
    {"\"a@x", "\"a@x\"", ""},
    {"u@x(open", "u@x", "x"},
    {"u@[1.2.3.4", "u@[1.2.3.4", "[1.2.3.4"},
    {"u\\", "\"u\\\\\"", ""},
    {")u@x", "\")u\"@x", "x"},
};

START_TEST(address_parse_gives_one_spelling)
{
    struct address address = parse(spellings[_i].raw, strlen(spellings[_i].raw));
    ck_assert_str_eq(address.text, spellings[_i].text);
    ck_assert_str_eq(address_domain(&address), spellings[_i].domain);
    struct address again = parse(address.text, address.length);
    ck_assert_str_eq(again.text, address.text);
    ck_assert_uint_eq(again.at, address.at);
}
END_TEST

START_TEST(address_plain_is_left_alone)
{
    static const char *const plain[] = {
        "a@x", "a.b+c-d_e@x-1.example", "1@2", "-@-", "a@x..y", "a@.x"};
    static const char *const other[] = {
        "",      "a",     "@",          "@x",         "a@",    "A@x",
        "a@X",   ".a@x",  "a.@x",       "a..b@x",     "a@x.",  "a@b@x",
        "a b@x", " a@x",  "a@x ",       "\"a\"@x",    "a@[1]", "a/b@x",
        "<a@x>", "a@x,b", "\xc3\xa4@x", "a@\xc3\xa4", "a@x\t", "a@x#"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        ck_assert_msg(address_is_plain(plain[i], strlen(plain[i])), "%s", plain[i]);
        struct address address = parse(plain[i], strlen(plain[i]));
        ck_assert_str_eq(address.text, plain[i]);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        ck_assert_msg(!address_is_plain(other[i], strlen(other[i])), "%s", other[i]);
    char upper[] = "Ann.Lee@X.Example";
    char odd[] = "Ann Lee@X";
    ck_assert(address_make_plain(upper, strlen(upper)));
    ck_assert_str_eq(upper, "ann.lee@x.example");
    ck_assert(address_make_plain(upper, strlen(upper)));
    ck_assert(!address_make_plain(odd, strlen(odd)));
    ck_assert_str_eq(odd, "Ann Lee@X");
    char longest[ADDRESS_SIZE + 1];
    memset(longest, 'a', sizeof longest);
    longest[1] = '@';
    ck_assert(address_is_plain(longest, ADDRESS_SIZE - 1));
    ck_assert(!address_is_plain(longest, ADDRESS_SIZE));
}
END_TEST

START_TEST(address_parse_nul_meets_no_other)
{
    static const struct {
        const char *raw;
        size_t length;
    } odd[] = {{"ab@x", 4}, {"a\0b@x", 5}, {"a\1b@x", 5}, {"a0b@x", 5}, {"a b@x", 5},
               {"a", 1},    {"a\0", 2},    {"a\0@x", 4},  {"a@x", 3},   {"a@x\0", 4}};
    enum { COUNT = sizeof odd / sizeof odd[0] };
    struct address parsed[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        parsed[i] = parse(odd[i].raw, odd[i].length);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(parsed[i].text, parsed[j].text);
    }
    ck_assert_str_eq(parsed[1].text, "a\xc0\x80"
                                     "b@x");
}
END_TEST

START_TEST(address_parse_too_long_is_limit)
{
    char raw[3000];
    struct address address = {.text = "kept"};
    for (size_t length = ADDRESS_SIZE; length < sizeof raw; length += 100) {
        memset(raw, 'a', length);
        ck_assert_int_eq(address_parse(raw, length, &address), STATUS_LIMIT);
        raw[1] = '@';
        ck_assert_int_eq(address_parse(raw, length, &address), STATUS_LIMIT);
        raw[0] = '\xc3';
        ck_assert_int_eq(address_parse(raw, length, &address), STATUS_LIMIT);
    }
    ck_assert_str_eq(address.text, "kept");
    memset(raw, 'a', ADDRESS_SIZE - 1);
    ck_assert_int_eq(address_parse(raw, ADDRESS_SIZE - 1, &address), STATUS_OK);
    raw[500] = '@';
    ck_assert_int_eq(address_parse(raw, ADDRESS_SIZE - 1, &address), STATUS_OK);
    memset(raw, '"', ADDRESS_SIZE); /* would double by escaping */
    for (size_t i = 0; i < 700; i++)
        raw[i] = i % 2 == 0 ? '\\' : '"';
    raw[700] = '@';
    ck_assert_int_eq(address_parse(raw, 702, &address), STATUS_OK);
}
END_TEST

/* A small generator, the same on every run. */
static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

START_TEST(address_parse_is_idempotent_on_noise)
{
    static const char bytes[] = "aB.@@\"\\<>()[]:,; \r\n\t\xc3\xbc\xff\0-";
    unsigned state = 7;
    for (int round = 0; round < 200000; round++) {
        char raw[24];
        size_t length = next_random(&state) % sizeof raw;
        for (size_t i = 0; i < length; i++)
            raw[i] = bytes[next_random(&state) % (sizeof bytes - 1)];
        char *exact = malloc(length + 1); /* so that a sanitizer sees a read too far */
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, raw, length);
        exact = realloc(exact, length == 0 ? 1 : length);
        struct address address = parse(exact, length);
        struct address again = parse(address.text, address.length);
        ck_assert_msg(strcmp(again.text, address.text) == 0 && again.at == address.at,
                      "\"%s\" became \"%s\"", address.text, again.text);
        free(exact);
    }
}
END_TEST

START_TEST(address_parse_is_linear)
{
    static const char *const hard[] = {
        "(",  "\"",  "<", ",",   "@[", "@",        "\\", "<@",
        ":@", "@a:", ")", "(\\", "=?", "\xc3\xbc", "."};
    enum { SIZE = 1 << 20 };
    char *raw = malloc(SIZE);
    ck_assert_ptr_nonnull(raw);
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++) {
        struct address address;
        size_t length = strlen(hard[i]);
        for (size_t at = 0; at < SIZE; at++)
            raw[at] = hard[i][at % length];
        enum status status = address_parse(raw, SIZE, &address);
        ck_assert(status == STATUS_OK || status == STATUS_LIMIT);
    }
    free(raw);
}
END_TEST

START_TEST(address_qualify_adds_domain_once)
{
    struct address address = parse("bob", 3);
    ck_assert_int_eq(address_qualify(&address, "X.example"), STATUS_OK);
    ck_assert_str_eq(address.text, "bob@x.example");
    ck_assert_uint_eq(address.at, 3);
    ck_assert_uint_eq(address.length, strlen(address.text));
    ck_assert_int_eq(address_qualify(&address, "y"), STATUS_OK);
    ck_assert_str_eq(address.text, "bob@x.example");
    address = parse("", 0);
    ck_assert_int_eq(address_qualify(&address, "y"), STATUS_OK);
    ck_assert_str_eq(address.text, "");
}
END_TEST

START_TEST(address_qualify_knows_its_limit)
{
    char raw[ADDRESS_SIZE];
    memset(raw, 'a', sizeof raw);
    struct address address = parse(raw, ADDRESS_SIZE - 3);
    ck_assert_int_eq(address_qualify(&address, "xy"), STATUS_LIMIT);
    ck_assert_uint_eq(address.length, ADDRESS_SIZE - 3);
    ck_assert_int_eq(address_qualify(&address, "x"), STATUS_OK);
    ck_assert_uint_eq(address.length, ADDRESS_SIZE - 1);
    ck_assert_uint_eq(strlen(address.text), ADDRESS_SIZE - 1);
}
END_TEST

static const struct {
    const char *raw;
    const char *delimiters;
    const char *text;
    bool removed;
} tags[] = {
    {"u+tag@x", "+", "u@x", true},
    {"u+a+b@x", "+", "u@x", true},
    {"u+@x", "+", "u@x", true},
    {"u+tag", "+", "u", true},
    {"u@x", "+", "u@x", false},
    {"u@x+y", "+", "u@x+y", false},
    {"+tag@x", "+", "+tag@x", false},
    {"+a+tag@x", "+", "+a+tag@x", false}, /* as Postfix: nothing before the first one */
    {"u+tag@x", "", "u+tag@x", false},
    {"u+tag@x", "-", "u+tag@x", false},
    {"u-tag+x@x", "+-", "u@x", true},
    {"owner-list@x", "-", "owner-list@x", false},
    {"list-request@x", "-+", "list-request@x", false},
    {"mailer-daemon@x", "-", "mailer-daemon@x", false},
    {"list-x@x", "-", "list@x", true},
    {"\"a b+c\"@x", "+", "\"a b\"@x", true},
    {"\"a+b c\"@x", "+", "a@x", true},
    {"\"+b c\"@x", "+", "\"+b c\"@x", false},
    {"\"a b+c\"", "+", "\"a b\"", true},
    {"a.+@x", "+", "\"a.\"@x", true},
    {"@x", "+", "@x", false},
    {"", "+", "", false},
};

START_TEST(address_remove_tag_leaves_the_user)
{
    struct address address = parse(tags[_i].raw, strlen(tags[_i].raw));
    ck_assert_int_eq(address_remove_tag(&address, tags[_i].delimiters), tags[_i].removed);
    ck_assert_str_eq(address.text, tags[_i].text);
    struct address again = parse(tags[_i].text, strlen(tags[_i].text));
    ck_assert_uint_eq(again.at, address.at);
    ck_assert_uint_eq(again.length, address.length);
}
END_TEST

START_TEST(address_tells_own_and_literal)
{
    struct domains own = {0};
    ck_assert_int_eq(domains_add(&own, "x.example", NULL), STATUS_OK);
    struct address address = parse("u@X.example.", 12);
    ck_assert(domains_have_address(&own, &address));
    ck_assert(!address_is_literal(&address));
    address = parse("u@y.example", 11);
    ck_assert(!domains_have_address(&own, &address));
    address = parse("u", 1);
    ck_assert(!domains_have_address(&own, &address));
    ck_assert(!address_is_literal(&address));
    address = parse("u@[1.2.3.4]", 11);
    ck_assert(address_is_literal(&address));
    address = parse("u@[1.2.3.4", 10);
    ck_assert(!address_is_literal(&address));
    domains_clear(&own);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *test = tcase_create("address");
    tcase_set_timeout(test, 60);
    tcase_add_loop_test(test, address_parse_gives_one_spelling, 0,
                        (int)(sizeof spellings / sizeof spellings[0]));
    tcase_add_test(test, address_parse_nul_meets_no_other);
    tcase_add_test(test, address_parse_too_long_is_limit);
    tcase_add_test(test, address_parse_is_idempotent_on_noise);
    tcase_add_test(test, address_parse_is_linear);
    tcase_add_test(test, address_plain_is_left_alone);
    tcase_add_test(test, address_qualify_adds_domain_once);
    tcase_add_test(test, address_qualify_knows_its_limit);
    tcase_add_loop_test(test, address_remove_tag_leaves_the_user, 0,
                        (int)(sizeof tags / sizeof tags[0]));
    tcase_add_test(test, address_tells_own_and_literal);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
