/* One person, one login, however it is typed; and no other person's. */
#include "policy/login.h"
#include "run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct domains own;
static struct login_forms forms;

static enum status add(const char *text)
{
    struct error error = {0};
    enum status status = login_forms_add(&forms, text, &own, &error);
    ck_assert_int_eq(status == STATUS_OK, error.text[0] == '\0');
    return status;
}

static void begin(void)
{
    ck_assert_int_eq(domains_add(&own, "district.example", NULL), STATUS_OK);
    ck_assert_int_eq(domains_add(&own, "pupils.example", NULL), STATUS_OK);
    ck_assert_int_eq(add("DISTRICT=district.example"), STATUS_OK);
    ck_assert_int_eq(add("Students=pupils.example"), STATUS_OK);
    ck_assert_int_eq(add("AD.DISTRICT.EXAMPLE=District.Example"), STATUS_OK);
}

static void end(void)
{
    domains_clear(&own);
    login_forms_clear(&forms);
}

static const struct {
    const char *typed;
    const char *login;
} logins[] = {
    {NULL, ""},
    {"", ""},
    {"Ann", "ann@district.example"},
    {"ann@", "ann@district.example"},
    {"ann@Pupils.Example", "ann@pupils.example"},
    {"ann@else.example", "ann@else.example"},
    /* A-labels, as addresses have them */
    {"ann@B\xc3\xbc"
     "cher.example",
     "ann@xn--bcher-kva.example"},
    {"\xc3\xa4nn@xn--bcher-kva.example", "\xc3\xa4nn@xn--bcher-kva.example"},
    {"ann@\xff.example", "ann@\xff.example"},
    /* a domain before a backslash */
    {"DISTRICT\\Ann", "ann@district.example"},
    {"district\\ann", "ann@district.example"},
    {"STUDENTS\\ann", "ann@pupils.example"},
    {"STAFF\\ann", "staff\\ann@district.example"},
    {"DISTRICT\\", "district\\@district.example"},
    {"\\ann", "\\ann@district.example"},
    {"DISTRICT\\STAFF\\ann", "district\\staff\\ann@district.example"},
    {"DISTRICT\\ann@pupils.example", "district\\ann@pupils.example"},
    {"DISTRICT\\ann%pupils.example", "district\\ann%pupils.example@district.example"},
    {"STAFF\\ann@DISTRICT", "staff\\ann@district"},
    {"district.example\\ann", "district.example\\ann@district.example"},
    /* behind '%' */
    {"ann%district.example", "ann@district.example"},
    {"ann%PUPILS.example", "ann@pupils.example"},
    {"ann%STUDENTS", "ann@pupils.example"},
    {"ann%else.example", "ann%else.example@district.example"},
    {"ann%x%district.example", "ann%x%district.example@district.example"},
    {"%district.example", "%district.example@district.example"},
    {"ann%", "ann%@district.example"},
    {"ann%pupils.example@district.example", "ann%pupils.example@district.example"},
    {"ann%pupils.example@DISTRICT", "ann%pupils.example@district.example"},
    /* a realm that is called otherwise */
    {"ann@DISTRICT", "ann@district.example"},
    {"ann@ad.district.example", "ann@district.example"},
    {"ann@STAFF", "ann@staff"},
    /* no master without a separator */
    {"ann*admin", "ann*admin@district.example"},
    /* nothing in it is quoted or a comment */
    {"ann(x)", "ann(x)@district.example"},
    {"\"ann\"", "\"ann\"@district.example"},
    {"ann+tag", "ann+tag@district.example"},
};

START_TEST(login_is_one_person)
{
    struct address login;
    ck_assert_int_eq(login_parse(logins[_i].typed, &forms, &own, &login), STATUS_OK);
    ck_assert_str_eq(login.text, logins[_i].login);
    ck_assert_uint_eq(login.length, strlen(login.text));
    const char *at = strrchr(login.text, '@');
    ck_assert_uint_eq(login.at, at == NULL ? 0 : (size_t)(at - login.text));
}
END_TEST

static const struct {
    const char *typed;
    const char *login;
} masters[] = {
    {"ann*admin", "ann@district.example"},
    {"Ann@pupils.example*admin", "ann@pupils.example"},
    {"ann*admin@pupils.example", "ann@district.example"},
    {"DISTRICT\\ann*STAFF\\admin", "ann@district.example"},
    {"ann%pupils.example*admin", "ann@pupils.example"},
    {"ann*bob*admin", "ann@district.example"},
    {"*admin", "*admin@district.example"},
    {"ann*", "ann*@district.example"},
    {"ann", "ann@district.example"},
};

START_TEST(login_of_a_master_is_whose_mailbox_it_is)
{
    struct address login;
    forms.master_separator = strdup("*");
    ck_assert_ptr_nonnull(forms.master_separator);
    ck_assert_int_eq(login_parse(masters[_i].typed, &forms, &own, &login), STATUS_OK);
    ck_assert_str_eq(login.text, masters[_i].login);
}
END_TEST

START_TEST(login_without_forms_or_domains)
{
    struct domains none = {0};
    struct address login;
    ck_assert_int_eq(login_parse("DISTRICT\\ann", NULL, &own, &login), STATUS_OK);
    ck_assert_str_eq(login.text, "district\\ann@district.example");
    ck_assert_int_eq(login_parse("ann%pupils.example", NULL, &own, &login), STATUS_OK);
    ck_assert_str_eq(login.text, "ann@pupils.example");
    ck_assert_int_eq(login_parse("ann", NULL, &none, &login), STATUS_OK);
    ck_assert_str_eq(login.text, "ann");
    ck_assert_uint_eq(login.at, 3);
}
END_TEST

START_TEST(login_too_long_is_limit)
{
    char typed[2 * ADDRESS_SIZE];
    struct address login;
    memset(typed, 'a', sizeof typed);
    typed[ADDRESS_SIZE] = '\0';
    ck_assert_int_eq(login_parse(typed, &forms, &own, &login), STATUS_LIMIT);
    typed[ADDRESS_SIZE - 1] = '\0';
    ck_assert_int_eq(login_parse(typed, &forms, &own, &login), STATUS_LIMIT);
    memcpy(typed + ADDRESS_SIZE - 10, "@DISTRICT", 10);
    ck_assert_int_eq(login_parse(typed, &forms, &own, &login), STATUS_LIMIT);
    memcpy(typed + ADDRESS_SIZE - 30, "@DISTRICT", 10);
    ck_assert_int_eq(login_parse(typed, &forms, &own, &login), STATUS_OK);
    ck_assert_str_eq(address_domain(&login), "district.example");
}
END_TEST

START_TEST(login_forms_refuses_what_is_unclear)
{
    static const char *const wrong[] = {
        "",
        "DISTRICT",
        "=district.example",
        "X=",
        "X=else.example",
        "X=no domain",
        "pupils.example=district.example", /* they are two */
        "district=pupils.example",         /* there twice */
        "A B=district.example",
        "A\\B=district.example",
        "A@B=district.example",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_int_eq(add(wrong[i]), STATUS_INVALID);
    ck_assert_uint_eq(forms.domain_count, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("login");
    TCase *tcase = tcase_create("login");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, login_is_one_person, 0,
                        (int)(sizeof logins / sizeof logins[0]));
    tcase_add_loop_test(tcase, login_of_a_master_is_whose_mailbox_it_is, 0,
                        (int)(sizeof masters / sizeof masters[0]));
    tcase_add_test(tcase, login_without_forms_or_domains);
    tcase_add_test(tcase, login_too_long_is_limit);
    tcase_add_test(tcase, login_forms_refuses_what_is_unclear);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
