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
        if (strstr(word, ";range=") != NULL)
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

/* Two groups without an address are lists of their own, with addresses made up from their
 * DNs. */
START_TEST(ldap_groups_nest_in_a_circle)
{
    tell(LDAP_ROLE_PERSON, "cn=a,dc=x|objectClass=person|mail=a@x");
    tell(LDAP_ROLE_LIST,
         "cn=one,dc=x|mail=one@x|member=CN=A, DC=x|member=cn=The Rest!,dc=x");
    tell(LDAP_ROLE_LIST, "cn=the rest!,dc=x|member=cn=one,dc=x|member=cn=deep,dc=x");
    tell(LDAP_ROLE_LIST, "cn=deep,dc=x|member=cn=The Rest!,dc=x|member=cn=b,dc=x");
    tell(LDAP_ROLE_PERSON, "cn=b,dc=x|objectClass=person|mail=b@x");
    tell(LDAP_ROLE_LIST, "cn=two,dc=x|mail=two@x|member=cn=one,dc=x|member=cn=gone,dc=x");
    tell(LDAP_ROLE_LIST, "cn=nobody's,dc=x|member=cn=b,dc=x");
    ck_assert_str_eq(flattened(), "one@x: [a@x the-rest-.18fd9134bf30@group.invalid]; "
                                  "two@x: [one@x =cn=gone,dc=x]; "
                                  "the-rest-.18fd9134bf30@group.invalid: [one@x "
                                  "deep.06e0c86737e3@group.invalid]; "
                                  "deep.06e0c86737e3@group.invalid: "
                                  "[the-rest-.18fd9134bf30@group.invalid b@x]");
    ck_assert_uint_eq(counts.lists, 2);
    ck_assert_uint_eq(counts.members, 3);
    ck_assert_uint_eq(counts.nameless, 1);
}
END_TEST

START_TEST(ldap_groups_take_every_kind_of_member)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|memberUid=Ann|memberUid=who|member=c@x|"
                         "uniqueMember=cn=d,dc=x#'0101'B|member=cn=off,dc=x|"
                         "member=SRS0=ab=cd=x=a@y");
    tell(LDAP_ROLE_PERSON, "uid=ann,dc=x|uid=ann|mail=ann@x|mail=ann.smith@x");
    tell(LDAP_ROLE_PERSON, "cn=d,dc=x|mail=d@x");
    tell(LDAP_ROLE_EXCLUDED, "cn=off,dc=x");
    ck_assert_str_eq(flattened(), "g@x: [ann@x =who c@x d@x SRS0=ab=cd=x=a@y]");
}
END_TEST

/* Two that differ only far behind are two people. */
START_TEST(ldap_groups_take_long_uids_whole)
{
    struct text line = {0};
    text_printf(&line, "cn=g,dc=x|mail=g@x|memberUid=%0300d|memberUid=%0300d", 1, 2);
    tell(LDAP_ROLE_LIST, text_string(&line));
    text_clear(&line);
    const char *shown = flattened();
    ck_assert_ptr_nonnull(strstr(shown, "01 ="));
    ck_assert_ptr_nonnull(strstr(shown, "02]"));
}
END_TEST

/* What makes a uniqueMember unique stands at its end; a name may hold the same signs. */
START_TEST(ldap_groups_keep_names_whole)
{
    tell(LDAP_ROLE_LIST, "cn=C#'s club,dc=x|objectClass=groupOfNames|member=a@x|"
                         "member=b@x");
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|member=cn=C#'s club,dc=x|"
                         "uniqueMember=cn=F#'s,dc=x#'0101'B|uniqueMember=cn=h,dc=x#''B");
    ck_assert_str_eq(flattened(),
                     "g@x: [c-s-club.a628bf389967@group.invalid =cn=f#'s,dc=x "
                     "=cn=h,dc=x]; "
                     "c-s-club.a628bf389967@group.invalid: [a@x b@x]");
}
END_TEST

/* A filter such as (mail=*) matches people, too: they are no lists of nobody. */
START_TEST(ldap_groups_are_not_people)
{
    tell(LDAP_ROLE_LIST, "cn=a,dc=x|objectClass=person|mail=a@x");
    tell(LDAP_ROLE_LIST, "cn=b,dc=x|mail=b@x");
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|objectClass=groupOfNames|"
                         "member=cn=a,dc=x|member=cn=b,dc=x");
    tell(LDAP_ROLE_LIST, "cn=to,dc=x|objectClass=person|mail=to@x|member=far@y");
    tell(LDAP_ROLE_LIST, "cn=one,dc=x|objectClass=groupOfNames|mail=one@x|member=c@x");
    tell(LDAP_ROLE_LIST, "cn=none,dc=x|objectClass=posixGroup|mail=none@x");
    tell(LDAP_ROLE_PERSON, "cn=a,dc=x|objectClass=person|mail=a@x");
    tell(LDAP_ROLE_PERSON, "cn=b,dc=x|mail=b@x");
    ck_assert_str_eq(flattened(),
                     "g@x: [a@x b@x]; to@x: far@y; one@x: [c@x]; none@x: []");
    ck_assert_uint_eq(counts.lists, 3);
    ck_assert_uint_eq(counts.empty, 1);
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(ldap_groups_without_members_are_doubted)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|objectClass=groupOfNames");
    (void)flattened();
    ck_assert_str_eq(problem_shown(&problems, 0),
                     "ldap: warning: no members are found for 1 of 1 lists: may bind_dn "
                     "read them?");
}
END_TEST

START_TEST(ldap_groups_found_last_are_groups)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|member=cn=far,dc=y|member=cn=own,dc=x|"
                         "member=cn=a,dc=x|member=cn=team,dc=x");
    tell(LDAP_ROLE_PERSON, "cn=own,dc=x|objectClass=ownClass|mail=own@x");
    tell(LDAP_ROLE_PERSON, "cn=a,dc=x|objectClass=ownClass|mail=a@x");
    tell(LDAP_ROLE_PERSON, "cn=team,dc=x|objectClass=group|mail=team@x");
    tell(LDAP_ROLE_NESTS, "cn=own,dc=x");
    const struct ldap_object *far = &groups.objects[1];
    ck_assert(!far[0].known && far[0].member);
    ck_assert(far[1].known && far[1].nests);
    ck_assert(far[2].known && !far[2].nests);
    ck_assert(!far[3].known);
    tell(LDAP_ROLE_UNKNOWN, "cn=far,dc=y|objectClass=groupOfNames|member=cn=a,dc=y");
    tell(LDAP_ROLE_UNKNOWN, "cn=own,dc=x|mail=own@x|member=c@x|member=d@x");
    tell(LDAP_ROLE_UNKNOWN, "cn=a,dc=y|mail=a@y");
    ck_assert(!groups.objects[2].nests);
    const char *shown = flattened();
    ck_assert_ptr_nonnull(strstr(shown, "g@x: [far."));
    ck_assert_ptr_nonnull(strstr(shown, "@group.invalid a@x team@x]"));
    ck_assert_ptr_nonnull(strstr(shown, "@group.invalid: [a@y]"));
    ck_assert_ptr_nonnull(strstr(shown, "@group.invalid: [c@x d@x]"));
}
END_TEST

static int64_t range_next(size_t at)
{
    ck_assert_uint_lt(at, groups.groups[0].range_count);
    return groups.groups[0].ranges[at].next;
}

START_TEST(ldap_groups_ask_for_ranges)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|member=|member;range=0-0=cn=a,dc=x|"
                         "uniqueMember;range=0-4=cn=c,dc=x");
    ck_assert_int_eq(range_next(0), 1);
    ck_assert_int_eq(range_next(1), 5);
    tell(LDAP_ROLE_RANGE, "cn=g,dc=x|member;range=1-1=cn=b,dc=x");
    ck_assert_int_eq(range_next(0), 2);
    ck_assert_int_eq(range_next(1), 5);
    tell(LDAP_ROLE_RANGE, "cn=g,dc=x|member;range=2-*=cn=d,dc=x");
    ck_assert_int_eq(range_next(0), 0);
    ck_assert_int_eq(range_next(1), 5);
    ck_assert_str_eq(flattened(), "g@x: [=cn=a,dc=x =cn=c,dc=x =cn=b,dc=x =cn=d,dc=x]");
    /* A range that does not come is no end. */
    tell(LDAP_ROLE_RANGE, "cn=g,dc=x");
    ck_assert_int_lt(range_next(0), 0);
    /* Nor is one of an entry that was not asked for, or one past all numbers. */
    tell(LDAP_ROLE_LIST, "cn=h,dc=x|mail=h@x|member=cn=a,dc=x");
    tell(LDAP_ROLE_RANGE, "cn=h,dc=x");
    tell(LDAP_ROLE_RANGE, "cn=a,dc=x");
    tell(LDAP_ROLE_RANGE, "cn=g,dc=x|member;range=3-9223372036854775807=cn=e,dc=x");
    ck_assert_int_lt(range_next(0), 0);
}
END_TEST

START_TEST(ldap_groups_take_no_strange_range_for_the_end)
{
    static const char *const strange[] = {"0-", "0", "", "x-*", "0-9223372036854775807"};
    char text[200];
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        (void)snprintf(text, sizeof text, "cn=g,dc=x|mail=g@x|member;range=%s=cn=a,dc=x",
                       strange[i]);
        tell(LDAP_ROLE_LIST, text);
        ck_assert_int_lt(range_next(0), 0);
    }
}
END_TEST

START_TEST(ldap_groups_that_fail_are_failed_lists)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|mail=g@x|member=a@x");
    tell(LDAP_ROLE_LIST, "cn=h,dc=x|mail=h@x|member=b@x|member=c@x");
    ck_assert_int_eq(ldap_groups_fail(&groups, 0, "it is away"), STATUS_OK);
    ck_assert_int_eq(ldap_groups_fail(&groups, 0, "and more"), STATUS_OK);
    ck_assert_str_eq(flattened(), "g@x!: [a@x]; h@x: [b@x c@x]");
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_str_eq(problem_shown(&problems, 0),
                     "ldap: cn=g,dc=x keeps its last good members: it is away");
}
END_TEST

START_TEST(ldap_groups_have_proxy_addresses)
{
    tell(LDAP_ROLE_LIST, "cn=g,dc=x|objectClass=group|proxyAddresses=X500:/o=x|"
                         "proxyAddresses=SMTP:G@x|proxyAddresses=smtp:h@x|"
                         "proxyAddresses=smtp:@x|member=cn=a,dc=x");
    tell(LDAP_ROLE_LIST,
         "cn=i,dc=x|objectClass=group|proxyAddresses=smtp:j@x|mail=i@x|member=b@x");
    tell(LDAP_ROLE_LIST, "cn=bad,dc=x|mail=@x|member=cn=a,dc=x");
    /* A server gives values in any order; the one in capitals is the first. */
    tell(LDAP_ROLE_LIST, "cn=k,dc=x|objectClass=group|proxyAddresses=smtp:l@x|"
                         "proxyAddresses=SMTP:k@x|proxyAddresses=smtp:m@x|member=c@x");
    ck_assert_str_eq(flattened(), "g@x: [=cn=a,dc=x]; h@x: G@x; i@x: [b@x]; j@x: i@x; "
                                  "k@x: [c@x]; l@x: k@x; m@x: k@x");
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
        if (told[i].primary == NULL) {
            ck_assert_int_eq(ldap_groups_attribute(&groups, "objectClass"), STATUS_OK);
            ck_assert_int_eq(ldap_groups_value(&groups, "group", 5), STATUS_OK);
        }
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
    ck_assert_ptr_nonnull(strstr(flattened(), "@group.invalid: [=cn=u,dc=x]; other."));
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
        {"(&(!(off=%%))(mail=%s))", "(&(!(off=%))(mail=*))", "mail"},
    };
    struct error error;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        char text[500];
        (void)snprintf(
            text, sizeof text,
            "server_host = a.x, ldaps://b.x\n# no\nserver_port = 3389\n"
            "search_base = dc=x\nquery_filter = %s\nresult_attribute=\n  rfc822\n"
            "special_result_attribute = member\nleaf_result_attribute = mail\n"
            "terminal_result_attribute = to\nscope = sub\nresult_format = %%s\n"
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
    ck_assert_str_eq(settings.member_attributes.items[1], "to");
    ck_assert_str_eq(settings.member_attributes.items[2], "rfc822");
    ck_assert_str_eq(settings.member_address_attributes.items[0], "to");
    ck_assert_str_eq(settings.member_address_attributes.items[1], "mail");
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
        {"search_base = dc=x\nserver_host = ,\n", "server_host names no server"},
        {"search_base = dc=x\nquery_filter = (mail~=%s)\n", "compares no attribute"},
        {"search_base = dc=x\nquery_filter = %n=%s\n", "compares no attribute"},
        {"search_base\n", "is not \"name = value\""},
        {"search_base = dc=x\nquery_filter = (&(mail=%s)(!(forwardedTo=%s)))\n",
         "below \"!\""},
        {"search_base = dc=x\nquery_filter = (&(a=b)( ! (|(c=%%)(d=%u@x))))\n",
         "below \"!\""},
        {"search_base = dc=x\nresult_format = %u@y\n", "result_format can only be %s"},
        {"search_base = dc=x\nscope = one\n", "scope can only be sub"},
        {"search_base = dc=x\nbind_dn = cn=m\n", "a bind_dn without bind_pw"},
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
    tcase_add_test(tests, ldap_groups_take_long_uids_whole);
    tcase_add_test(tests, ldap_groups_keep_names_whole);
    tcase_add_test(tests, ldap_groups_are_not_people);
    tcase_add_test(tests, ldap_groups_without_members_are_doubted);
    tcase_add_test(tests, ldap_groups_found_last_are_groups);
    tcase_add_test(tests, ldap_groups_that_fail_are_failed_lists);
    tcase_add_test(tests, ldap_groups_ask_for_ranges);
    tcase_add_test(tests, ldap_groups_take_no_strange_range_for_the_end);
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
