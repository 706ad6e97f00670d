/* Groups of a directory, told entry by entry as a server would, and Postfix's tables. */
#include "lists/ldap_groups.h"

#include "lists/ldap_flatten.h"
#include "lists/postfix_ldap.h"
#include "lists_fixture.h"
#include "run.h"

static struct ldap_settings settings;
static struct ldap_groups groups;
static struct entries entries;
static struct problems problems;
static struct ldap_counts counts;

static void setup_as(enum ldap_schema schema)
{
    settings = (struct ldap_settings){.schema = schema, .base = strdup("dc=x")};
    ck_assert_int_eq(ldap_settings_preset(&settings), STATUS_OK);
    ck_assert_int_eq(ldap_groups_init(&groups, &settings), STATUS_OK);
}

static void setup(void)
{
    setup_as(LDAP_SCHEMA_OPENLDAP);
}

static void setup_ad(void)
{
    setup_as(LDAP_SCHEMA_AD);
}

static void teardown(void)
{
    ldap_groups_clear(&groups);
    ldap_settings_clear(&settings);
    entries_clear(&entries);
    problems_clear(&problems);
}

/* An entry as "dn|attribute=value|…". */
static void tell(enum ldap_role role, const char *text)
{
    char copy[1000];
    char *rest;
    (void)snprintf(copy, sizeof copy, "%s", text);
    const char *dn = strtok_r(copy, "|", &rest);
    ldap_groups_expect(&groups, role, 0);
    ck_assert_int_eq(ldap_groups_entry(&groups, dn, strlen(dn)), STATUS_OK);
    for (char *word; (word = strtok_r(NULL, "|", &rest)) != NULL;) {
        char *equals = strchr(word, '=');
        if (strncmp(word, "member;range=", 13) == 0)
            equals = strchr(equals + 1, '=');
        *equals = '\0';
        const char *value = equals + 1;
        ck_assert_int_eq(ldap_groups_attribute(&groups, word), STATUS_OK);
        if (*value != '\0')
            ck_assert_int_eq(ldap_groups_value(&groups, value, strlen(value)), STATUS_OK);
    }
    ck_assert_int_eq(ldap_groups_end(&groups), STATUS_OK);
}

static const char *flattened(void)
{
    ck_assert_int_eq(ldap_flatten(&groups, "ldap", &entries, &problems, &counts),
                     STATUS_OK);
    return entries_shown(&entries);
}

START_TEST(ldap_groups_nest_in_a_circle)
{
    tell(LDAP_ROLE_PERSON, "cn=a,dc=x|objectClass=person|mail=a@x");
    tell(LDAP_ROLE_LIST,
         "cn=one,dc=x|mail=one@x|member=CN=A, DC=x|member=cn=hidden,dc=x");
    tell(LDAP_ROLE_LIST, "cn=hidden,dc=x|member=cn=one,dc=x|member=cn=deep,dc=x");
    tell(LDAP_ROLE_LIST, "cn=deep,dc=x|member=cn=hidden,dc=x|member=cn=b,dc=x");
    tell(LDAP_ROLE_PERSON, "cn=b,dc=x|objectClass=person|mail=b@x");
    tell(LDAP_ROLE_LIST, "cn=two,dc=x|mail=two@x|member=cn=one,dc=x|member=cn=gone,dc=x");
    ck_assert_str_eq(flattened(), "one@x: [a@x b@x]; two@x: [one@x =cn=gone,dc=x]");
    ck_assert_uint_eq(counts.lists, 2);
    ck_assert_uint_eq(counts.members, 3);
    ck_assert_uint_eq(counts.nameless, 1);
}
END_TEST

START_TEST(ldap_groups_take_every_kind_of_member)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|memberUid=Ann|memberUid=who|member=c@x|"
                         "uniqueMember=cn=d,dc=x#'0101'B|member=cn=off,dc=x");
    tell(LDAP_ROLE_PERSON, "uid=ann,dc=x|uid=ann|mail=ann@x|mail=ann.smith@x");
    tell(LDAP_ROLE_PERSON, "cn=d,dc=x|mail=d@x");
    tell(LDAP_ROLE_EXCLUDED, "cn=off,dc=x");
    ck_assert_str_eq(flattened(), "g@x: [ann@x =who c@x d@x]");
}
END_TEST

START_TEST(ldap_groups_found_last_are_groups)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|member=cn=far,dc=y");
    ck_assert(!groups.objects[1].known && groups.objects[1].member);
    tell(LDAP_ROLE_UNKNOWN, "cn=far,dc=y|objectClass=groupOfNames|member=cn=a,dc=y");
    tell(LDAP_ROLE_UNKNOWN, "cn=a,dc=y|mail=a@y");
    ck_assert_str_eq(flattened(), "g@x: [a@y]");
}
END_TEST

START_TEST(ldap_groups_ask_for_ranges)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|member=|member;range=0-0=cn=a,dc=x");
    ck_assert_int_eq(groups.groups[0].range_next, 1);
    tell(LDAP_ROLE_RANGE, "cn=g,dc=x|member;range=1-1=cn=b,dc=x");
    ck_assert_int_eq(groups.groups[0].range_next, 2);
    tell(LDAP_ROLE_RANGE, "cn=g,dc=x|member;range=2-*=cn=c,dc=x");
    ck_assert_int_eq(groups.groups[0].range_next, 0);
    ck_assert_str_eq(flattened(), "g@x: [=cn=a,dc=x =cn=b,dc=x =cn=c,dc=x]");
    /* A range that does not come is no end. */
    tell(LDAP_ROLE_RANGE, "cn=g,dc=x");
    ck_assert_int_lt(groups.groups[0].range_next, 0);
}
END_TEST

START_TEST(ldap_groups_have_proxy_addresses)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|proxyAddresses=X500:/o=x|proxyAddresses=SMTP:G@x|"
                         "proxyAddresses=smtp:h@x|member=cn=a,dc=x");
    tell(LDAP_ROLE_LIST, "cn=i,dc=x|proxyAddresses=smtp:j@x|mail=i@x");
    tell(LDAP_ROLE_LIST, "cn=bad,dc=x|mail=@x|member=cn=a,dc=x");
    ck_assert_str_eq(flattened(), "g@x: [=cn=a,dc=x]; h@x: G@x; i@x: []; j@x: i@x");
    ck_assert_uint_eq(problems.count, 1);
    ck_assert(problems_hold(&problems, "cn=bad,dc=x: \"@x\" is not an address"));
}
END_TEST

START_TEST(ldap_groups_have_members_by_their_primary_group)
{
    static const char user[] = "\1\2\0\0\0\0\0\5\25\0\0\0\7\0\0\0";
    static const char users[] = "\1\2\0\0\0\0\0\5\25\0\0\0\1\2\0\0"; /* 513 */
    static const char other[] = "\1\2\0\0\0\0\0\5\26\0\0\0\1\2\0\0";
    const struct {
        const char *dn, *sid, *primary;
        enum ldap_role role;
    } told[] = {{"cn=u,dc=x", user, "513", LDAP_ROLE_PERSON},
                {"cn=users,dc=x", users, NULL, LDAP_ROLE_LIST},
                {"cn=other,dc=x", other, NULL, LDAP_ROLE_LIST}};
    for (size_t i = 0; i < 3; i++) {
        ldap_groups_expect(&groups, told[i].role, 0);
        ck_assert_int_eq(ldap_groups_entry(&groups, told[i].dn, strlen(told[i].dn)),
                         STATUS_OK);
        ck_assert_int_eq(ldap_groups_attribute(&groups, "objectSid"), STATUS_OK);
        ck_assert_int_eq(ldap_groups_value(&groups, told[i].sid, 16), STATUS_OK);
        if (told[i].primary != NULL) {
            ck_assert_int_eq(ldap_groups_attribute(&groups, "primaryGroupID"), STATUS_OK);
            ck_assert_int_eq(ldap_groups_value(&groups, told[i].primary, 3), STATUS_OK);
        }
        ck_assert_int_eq(ldap_groups_end(&groups), STATUS_OK);
    }
    tell(LDAP_ROLE_LIST,
         "cn=all,dc=x|mail=all@x|member=cn=users,dc=x|member=cn=other,dc=x");
    ck_assert_str_eq(flattened(), "all@x: [=cn=u,dc=x]");
}
END_TEST

/* ---- ldap_table(5) ---- */

static enum status parsed_table(const char *text, struct error *error)
{
    char *copy = strdup(text);
    struct file file = {.data = copy, .length = strlen(copy)};
    ldap_settings_clear(&settings);
    enum status status = postfix_ldap_parse(&file, "groups.cf", &settings, error);
    free(copy);
    return status;
}

START_TEST(postfix_ldap_becomes_settings)
{
    static const struct {
        const char *filter, *becomes, *address;
    } filters[] = {
        {"(mail=%s)", "(mail=*)", "mail"},
        {"(&(objectClass=group)(proxyAddresses=smtp:%s))",
         "(&(objectClass=group)(proxyAddresses=smtp:*))", "proxyAddresses"},
        {"(|(mail=%s)(alias=%u@%d))", "(|(mail=*)(alias=*))", "mail"},
        {"(cn=%u)", "(cn=*)", "cn"},
    };
    struct error error;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        char text[300];
        (void)snprintf(
            text, sizeof text,
            "server_host = a.x, ldaps://b.x\n# no\nserver_port = 3389\n"
            "search_base = dc=x\nquery_filter = %s\nresult_attribute=\n  rfc822\n"
            "special_result_attribute = member\nleaf_result_attribute = mail\n"
            "bind_dn = cn=m\nbind_pw = p=q\n",
            filters[i].filter);
        ck_assert_int_eq(parsed_table(text, &error), STATUS_OK);
        ck_assert_str_eq(settings.filter, filters[i].becomes);
        ck_assert_str_eq(settings.address_attributes.items[0], filters[i].address);
    }
    ck_assert_uint_eq(settings.servers.count, 2);
    ck_assert_str_eq(settings.servers.items[0], "ldap://a.x:3389");
    ck_assert_str_eq(settings.servers.items[1], "ldaps://b.x");
    ck_assert_str_eq(settings.password, "p=q");
    ck_assert_str_eq(settings.member_attributes.items[0], "member");
    ck_assert_str_eq(settings.member_attributes.items[1], "rfc822");
    ck_assert_str_eq(settings.member_address_attributes.items[0], "mail");
}
END_TEST

START_TEST(postfix_ldap_names_what_it_cannot_follow)
{
    static const struct {
        const char *text, *says;
    } faults[] = {
        {"server_host = x\n", "needs a search_base"},
        {"search_base = dc=%d\n", "needs a search_base, without %"},
        {"search_base = dc=x\nbind = sasl\n", "of SASL only EXTERNAL"},
        {"search_base = dc=x\nquery_filter = (a=b)\n", "compares no attribute"},
        {"search_base\n", "is not \"name = value\""},
    };
    struct error error;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        ck_assert_int_eq(parsed_table(faults[i].text, &error), STATUS_INVALID);
        ck_assert_ptr_nonnull(strstr(error.text, faults[i].says));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ldap_groups");
    TCase *tests = tcase_create("ldap_groups");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, ldap_groups_nest_in_a_circle);
    tcase_add_test(tests, ldap_groups_take_every_kind_of_member);
    tcase_add_test(tests, ldap_groups_found_last_are_groups);
    tcase_add_test(tests, ldap_groups_ask_for_ranges);
    tcase_add_test(tests, postfix_ldap_becomes_settings);
    tcase_add_test(tests, postfix_ldap_names_what_it_cannot_follow);
    suite_add_tcase(suite, tests);
    TCase *ad = tcase_create("ad");
    tcase_add_checked_fixture(ad, setup_ad, teardown);
    tcase_add_test(ad, ldap_groups_have_proxy_addresses);
    tcase_add_test(ad, ldap_groups_have_members_by_their_primary_group);
    suite_add_tcase(suite, ad);
    return run_suite(suite);
}
