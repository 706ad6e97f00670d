/* Elements and networks: each kind, its canonical text, and every mistake refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip_address.h"
#include "policy/address.h"
#include "policy/element.h"
#include "run.h"

static struct domains own;

static void set_up(void)
{
    own = (struct domains){0};
    ck_assert_int_eq(domains_add(&own, "district.example", NULL), STATUS_OK);
    ck_assert_int_eq(domains_add(&own, "schools.example", NULL), STATUS_OK);
}

static void tear_down(void)
{
    domains_clear(&own);
}

/* "KIND text" of what string parses to, or the error. */
static const char *parsed(const char *string)
{
    static const char *const kinds[] = {
        [ELEMENT_GROUP] = "group",       [ELEMENT_LOGIN] = "login",
        [ELEMENT_CLIENT] = "client",     [ELEMENT_CLIENT_LOCAL] = "local",
        [ELEMENT_NULL_SENDER] = "null",  [ELEMENT_ADDRESS] = "address",
        [ELEMENT_DOMAIN] = "domain",     [ELEMENT_LIST] = "list",
        [ELEMENT_ANY_LIST] = "any-list",
    };
    static char shown[600];
    struct element element = {.text = NULL};
    struct error error = {.text = ""};
    enum status status = element_parse(string, &own, &element, &error);
    if (status == STATUS_OK)
        snprintf(shown, sizeof shown, "%s %s", kinds[element.kind], element.text);
    else
        snprintf(shown, sizeof shown, "error %d: %s", status, error.text);
    ck_assert(status == STATUS_OK || status == STATUS_INVALID);
    if (status == STATUS_INVALID) {
        ck_assert_ptr_null(element.text);
        ck_assert_str_ne(error.text, "");
    } else {
        ck_assert_ptr_null(element.file);
        element_clear(&element);
    }
    return shown;
}

static const struct {
    const char *string, *shown;
} right[] = {
    {"students", "group students"},
    {"a_B-9", "group a_B-9"},
    {"local", "group local"},
    {"login:alice", "login alice"},
    {"login:Press-*", "login press-*"},
    {"login:*", "login *"},
    {"login:al*@District.Example", "login al*@district.example"},
    {"client:local", "local local"},
    {"client:10.0.0.0/8", "client 10.0.0.0/8"},
    {"client:2001:db8::/32", "client 2001:db8::/32"},
    {"<>", "null "},
    {"list:*", "any-list *"},
    {"list:All@District.Example", "list all@district.example"},
    {"list:all", "list all@district.example"},
    {"list:all@other.example", "list all@other.example"},
    {"@District.Example", "domain district.example"},
    {"@b\xc3\xbc"
     "cher.example",
     "domain xn--bcher-kva.example"},
    {"Ann@District.Example", "address ann@district.example"},
    {"\"ann\"@district.example", "address ann@district.example"},
    {"*@b\xc3\xbc"
     "cher.example",
     "address *@xn--bcher-kva.example"},
    {"login:Ann@B\xc3\x9c"
     "cher.example",
     "login ann@xn--bcher-kva.example"},
    {"login:*@*.b\xc3\xbc"
     "cher.Example",
     "login *@*.xn--bcher-kva.example"},
    {"*@*.b\xc3\xbc"
     "cher.example",
     "address *@*.xn--bcher-kva.example"},
    {"login:b\xc3\xbc"
     "cher@Realm_1",
     "login b\xc3\xbc"
     "cher@realm_1"},
    {"News-*@District.Example", "address news-*@district.example"},
    {"*@*.Example", "address *@*.example"},
    {"*@*", "address *@*"},
};

START_TEST(element_parses)
{
    ck_assert_str_eq(parsed(right[_i].string), right[_i].shown);
}
END_TEST

/* The reason must hold the second text. */
static const struct {
    const char *string, *reason;
} wrong[] = {
    {"", "empty"},
    {" students", "blank"},
    {"students ", "blank"},
    {"login:a b", "blank"},
    {"a\tb@c.example", "blank"},
    {"a@b.example\n", "blank"},
    {"logn:alice", "colon"},
    {"Login:alice", "colon"},
    {"lists:all@district.example", "colon"},
    {"login:", "login:"},
    {"login:@district.example", "login:"},
    {"login:alice@", "login:"},
    {"login:a@b@c", "two '@'"},
    {"login:a@b\xc3\xbc*.example", "one label"},
    {"*@b\xc3\xbc*.example", "one label"},
    {"login:a@\xff.example", "not a domain"},
    {"login:alogin:b", "two prefixes"},
    {"client:10.0.0.1client:10.0.0.2", "two prefixes"},
    {"client:localclient:10.0.0.2", "two prefixes"},
    {"list:l.ess-loGin:b", "two prefixes"},
    {"list:*login:a", "two prefixes"},
    {"list:a@b.examplelist:c", "two prefixes"},
    {"ann@b.examplelogin:c", "two prefixes"},
    {"insidelogin:c", "two prefixes"},
    {"<>login:c", "two prefixes"},
    {"login:a<>", "takes a user name"},
    {"login:a,login:b", "two prefixes"},
    {"login:a,b", "takes a user name"},
    {"ann@b.example,c.example", "is not an address"},
    {"inside,outside", "is neither"},
    {"login:a\", \"b", "a blank"},
    {"login:a\",\"b", "takes a user name"},
    {"<><>", "is neither"},
    {"a@b.examplec@d.example", "two '@'"},
    {"list:a@b.examplelist:c@d.example", "two '@'"},
    {"list:", "list:"},
    {"list:@district.example", "list:"},
    {"list:all@", "list:"},
    {"list:all-*@district.example", "list:"},
    {"client:", "IP address"},
    {"client:10.0.0", "IP address"},
    {"client:relay.example", "IP address"},
    {"client:10.0.0.0/33", "from 0 to 32"},
    {"client:10.0.0.0/", "from 0 to 32"},
    {"client:10.0.0.0/8/8", "from 0 to 32"},
    {"client:10.0.0.0/+8", "from 0 to 32"},
    {"client:10.0.0.0/0008", "from 0 to 32"},
    {"client:::1/129", "from 0 to 128"},
    {"client:*", "IP address"},
    {"@", "domain"},
    {"@*.example", "*@DOMAIN"},
    {"@bad domain", "blank"},
    {"@bad..example", "domain"},
    {"ann@", "not an address"},
    {"ann,ben@district.example", "not an address"},
    {"<ann@district.example>", "not an address"},
    {"*@bad..example", "domain"},
    {"*", "neither"},
    {"a.b", "neither"},
    {"stud*", "neither"},
};

START_TEST(element_refuses)
{
    const char *shown = parsed(wrong[_i].string);
    ck_assert_msg(strncmp(shown, "error", 5) == 0, "\"%s\" became %s", wrong[_i].string,
                  shown);
    ck_assert_msg(strstr(shown, wrong[_i].reason) != NULL, "\"%s\": %s", wrong[_i].string,
                  shown);
}
END_TEST

START_TEST(element_without_domains_wants_whole_lists)
{
    struct domains none = {0};
    struct element element;
    struct error error;
    ck_assert_int_eq(element_parse("list:all", &none, &element, &error), STATUS_INVALID);
    ck_assert_int_eq(element_parse("list:all@a.example", &none, &element, &error),
                     STATUS_OK);
    element_clear(&element);
}
END_TEST

START_TEST(element_refuses_too_long)
{
    static char string[ADDRESS_SIZE + 200];
    struct element element;
    struct error error;
    memset(string, 'a', sizeof string - 1);
    strcpy(string + sizeof string - 20, "@district.example");
    ck_assert_int_eq(element_parse(string, &own, &element, &error), STATUS_INVALID);
}
END_TEST

START_TEST(element_formats_as_written)
{
    static const char *const strings[] = {
        "students", "login:press-*", "client:10.0.0.0/8",      "client:local", "<>",
        "list:*",   "@a.example",    "list:all@other.example", "*@a.example",
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        struct element element;
        char shown[100];
        ck_assert_int_eq(element_parse(strings[i], &own, &element, NULL), STATUS_OK);
        element_format(&element, shown, sizeof shown);
        ck_assert_str_eq(shown, strings[i]);
        element_clear(&element);
    }
}
END_TEST

START_TEST(elements_grow)
{
    struct elements elements = {0};
    for (int i = 0; i < 100; i++) {
        struct element element;
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        ck_assert_int_eq(element_parse(name, &own, &element, NULL), STATUS_OK);
        ck_assert_int_eq(elements_add(&elements, &element), STATUS_OK);
    }
    ck_assert_uint_eq(elements.count, 100);
    ck_assert_str_eq(elements.items[0].text, "g0");
    ck_assert_str_eq(elements.items[99].text, "g99");
    elements_clear(&elements);
    ck_assert_uint_eq(elements.count, 0);
}
END_TEST

/* The bytes in hex. */
static const struct {
    const char *text, *hex;
} addresses[] = {
    {"1.2.3.4", "00000000000000000000ffff01020304"},
    {"255.255.255.255", "00000000000000000000ffffffffffff"},
    {"0.0.0.0", "00000000000000000000ffff00000000"},
    {"::ffff:1.2.3.4", "00000000000000000000ffff01020304"},
    {"::FFFF:102:304", "00000000000000000000ffff01020304"},
    {"::", "00000000000000000000000000000000"},
    {"::1", "00000000000000000000000000000001"},
    {"1::", "00010000000000000000000000000000"},
    {"1:2:3:4:5:6:7:8", "00010002000300040005000600070008"},
    {"1:2:3:4:5:6:7::", "00010002000300040005000600070000"},
    {"::2:3:4:5:6:7:8", "00000002000300040005000600070008"},
    {"1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"},
    {"2001:db8::a:0:B", "20010db8000000000000000a0000000b"},
    {"::1.2.3.4", "00000000000000000000000001020304"},
};

START_TEST(network_reads_addresses)
{
    uint8_t bytes[16];
    char hex[33];
    ck_assert_msg(ip_address_parse(addresses[_i].text, bytes), "%s", addresses[_i].text);
    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    ck_assert_str_eq(hex, addresses[_i].hex);
}
END_TEST

static const char *const no_addresses[] = {
    "",
    " ",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.4 ",
    " 1.2.3.4",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.",
    ".1.2.3",
    "1..2.3",
    "1.2.3.4a",
    "0x1.2.3.4",
    "1.2.3.1000",
    "-1.2.3.4",
    "99999999999.1.1.1",
    ":",
    ":::",
    "1:",
    ":1",
    "1:2",
    "1::2::3",
    "::1:",
    ":1::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "::1%eth0",
    "[::1]",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::1.2.3",
    "::1.2.3.4:5",
    "::1.2.3.4.5",
    "1.2.3.4::",
    "::ffff:256.1.1.1",
    "1:2:3:4:5:6:7:8/64",
    "local",
};

START_TEST(network_refuses)
{
    uint8_t bytes[16] = {9};
    ck_assert_msg(!ip_address_parse(no_addresses[_i], bytes), "%s", no_addresses[_i]);
    ck_assert_int_eq(bytes[0], 9);
}
END_TEST

static const struct {
    const char *network, *address;
    bool has;
} members[] = {
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.1.2.3/8", "10.9.9.9", true}, /* host bits cleared */
    {"10.0.0.25", "10.0.0.25", true},
    {"10.0.0.25", "10.0.0.24", false},
    {"10.0.0.128/25", "10.0.0.127", false},
    {"10.0.0.129/25", "10.0.0.200", true},
    {"10.0.0.0/31", "10.0.0.1", true},
    {"10.0.0.0/31", "10.0.0.2", false},
    {"0.0.0.0/0", "1.2.3.4", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::ffff:10.0.0.0/104", "10.1.1.1", true},
    {"::ffff:10.0.0.0/104", "11.1.1.1", false},
    {"10.0.0.0/8", "::ffff:10.1.1.1", true},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "10.0.0.1", false},
    {"::/64", "0.0.0.0", false},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"0.0.0.0/0", "255.1.2.3", true},
    {"::ffff:10.0.0.0/104", "10.9.9.9", true},
    {"::1", "::1", true},
    {"::1", "::2", false},
};

START_TEST(network_has_members)
{
    struct network network;
    uint8_t bytes[16];
    ck_assert_int_eq(network_parse(members[_i].network, &network, NULL), STATUS_OK);
    ck_assert(ip_address_parse(members[_i].address, bytes));
    ck_assert_msg(network_has(&network, bytes) == members[_i].has, "%s in %s",
                  members[_i].address, members[_i].network);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    Suite *suite = suite_create("element");
    TCase *tests = tcase_create("element");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, element_parses, 0, COUNT(right));
    tcase_add_loop_test(tests, element_refuses, 0, COUNT(wrong));
    tcase_add_test(tests, element_without_domains_wants_whole_lists);
    tcase_add_test(tests, element_refuses_too_long);
    tcase_add_test(tests, element_formats_as_written);
    tcase_add_test(tests, elements_grow);
    tcase_add_loop_test(tests, network_reads_addresses, 0, COUNT(addresses));
    tcase_add_loop_test(tests, network_refuses, 0, COUNT(no_addresses));
    tcase_add_loop_test(tests, network_has_members, 0, COUNT(members));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
