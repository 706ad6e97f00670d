/* Own domains. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/domains.h"
#include "run.h"

START_TEST(domains_keep_order_and_spelling)
{
    struct domains domains = {0};
    ck_assert_ptr_null(domains_first(&domains));
    ck_assert(!domains_have(&domains, ""));
    ck_assert_int_eq(domains_add(&domains, "District.EXAMPLE", NULL), STATUS_OK);
    ck_assert_int_eq(domains_add(&domains,
                                 "b\xc3\xbc"
                                 "cher.example.",
                                 NULL),
                     STATUS_OK);
    ck_assert_int_eq(domains_add(&domains, "district.example", NULL), STATUS_OK);
    ck_assert_int_eq(domains_add(&domains, "localhost", NULL), STATUS_OK);
    ck_assert_uint_eq(domains.count, 3);
    ck_assert_str_eq(domains_first(&domains), "district.example");
    ck_assert(domains_have(&domains, "xn--bcher-kva.example"));
    ck_assert(domains_have(&domains, "localhost"));
    ck_assert(!domains_have(&domains, "example"));
    ck_assert(!domains_have(&domains, "sub.district.example"));
    domains_clear(&domains);
    ck_assert_uint_eq(domains.count, 0);
}
END_TEST

static const char *const wrong[] = {
    "",
    ".",
    "a..b",
    ".a",
    "-a.b",
    "a-.b",
    "a b",
    "a@b",
    "@a",
    "a,b",
    "[1.2.3.4]",
    "<a>",
    "a:b",
    "a\"b",
    "a/b",
    "*.example",
    "\xff\xfe.example",
    "a\\b",
    "a123456789012345678901234567890123456789012345678901234567890123.example",
};

START_TEST(domains_refuse_what_is_none)
{
    struct domains domains = {0};
    struct error error = {.text = ""};
    ck_assert_int_eq(domains_add(&domains, wrong[_i], &error), STATUS_INVALID);
    ck_assert_str_ne(error.text, "");
    ck_assert_uint_eq(domains.count, 0);
    domains_clear(&domains);
}
END_TEST

START_TEST(domains_refuse_too_long)
{
    char name[3000];
    struct domains domains = {0};
    for (size_t length = 254; length < sizeof name; length += 500) {
        for (size_t i = 0; i < length; i++)
            name[i] = i % 10 == 9 ? '.' : 'a';
        name[length] = '\0';
        ck_assert_int_eq(domains_add(&domains, name, NULL), STATUS_INVALID);
    }
    domains_clear(&domains);
}
END_TEST

START_TEST(domains_delimiters_replace)
{
    struct domains domains = {0};
    ck_assert_int_eq(domains_set_delimiters(&domains, "+"), STATUS_OK);
    ck_assert_int_eq(domains_set_delimiters(&domains, "+-"), STATUS_OK);
    ck_assert_str_eq(domains.delimiters, "+-");
    domains_clear(&domains);
    ck_assert_ptr_null(domains.delimiters);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("domains");
    TCase *test = tcase_create("domains");
    tcase_add_test(test, domains_keep_order_and_spelling);
    tcase_add_loop_test(test, domains_refuse_what_is_none, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(test, domains_refuse_too_long);
    tcase_add_test(test, domains_delimiters_replace);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
