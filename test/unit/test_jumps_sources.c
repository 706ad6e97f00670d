/* Lists that jump, of each kind of source, and what a damaged file of their accepted
 * sizes changes. */
#include <sys/stat.h>
#include <unistd.h>

#include "jumps_fixture.h"
#include "run.h"

/* A folder's lists jump like others; a file that is gone is a list that shrank. */
START_TEST(jumps_in_a_folder)
{
    struct address address;
    struct target target;
    file_put("mailbrake.conf", "domains = [ \"a.example\" ];\n"
                               "store = { type = \"memory\"; state_file = \"state\"; };\n"
                               "lists = ( { folder = \"rosters\"; domain = "
                               "\"a.example\"; } );\n");
    ck_assert_int_eq(mkdir(in_folder("rosters"), 0700), 0);
    put("rosters/one.txt", "", 0, 40);
    put("rosters/two.txt", "", 0, 3);
    load(catalog);
    put("rosters/one.txt", "", 0, 400);
    ck_assert_int_eq(unlink(in_folder("rosters/two.txt")), 0);
    load(catalog);
    expect("one@a.example", LIST_GROWN, 400, 40);
    expect("two@a.example", LIST_SHRUNK, 3, 3);
    ck_assert_ptr_nonnull(strstr(find("two@a.example")->source, "/two.txt"));
    open_catalog();
    load(catalog);
    expect("one@a.example", LIST_GROWN, 400, 40);
    expect("two@a.example", LIST_SHRUNK, 3, 3);
    accept(NULL, 2);
    expect("one@a.example", LIST_OK, 400, 400);
    ck_assert_int_eq(address_parse("two@a.example", 13, &address), STATUS_OK);
    directory_find(snapshot->directory, &address, &target);
    ck_assert_int_eq(target.kind, TARGET_PERSON);
    ck_assert_int_eq(unlink(in_folder("rosters/one.txt")), 0);
    ck_assert_int_eq(rmdir(in_folder("rosters")), 0);
}
END_TEST

/* An alias for one person is no list; for hundreds it is one, and it has grown. */
START_TEST(jumps_of_an_alias_of_one)
{
    struct text text = {0};
    file_put("aliases", "team: a, b\nsolo: ann\nforward: all\n");
    load(catalog);
    text_add_string(&text, "team: a, b\nforward: all, archive\nsolo: ann");
    add_people(&text);
    text_add_string(&text, "\n");
    file_put("aliases", text_string(&text));
    text_clear(&text);
    refresh();
    expect("solo@a.example", LIST_GROWN, 301, 1);
    expect("forward@a.example", LIST_OK, 41, 41);
    refresh();
    open_catalog();
    load(catalog);
    expect("solo@a.example", LIST_GROWN, 301, 1);
    accept("solo@a.example", 1);
    refresh();
    expect("solo@a.example", LIST_OK, 301, 301);
}
END_TEST

/* A server's lists, as the thread that reads them takes them over. */
static void take(size_t number, int count)
{
    const struct list_source *source = &snapshot->settings->lists[number];
    struct source_read read = {.at_ms = now_ms};
    struct entry *entry;
    if (count < 0)
        read.status =
            error_set(&read.error, STATUS_UNAVAILABLE, "the connection was lost");
    else
        ck_assert_int_eq(entries_open(&read.entries, "rule@a.example", 14, &entry),
                         STATUS_OK);
    for (int i = 0; i < count; i++) {
        char member[40];
        int length = snprintf(member, sizeof member, "p%d@x.example", i);
        member_list_add(&entry->members, MEMBER_ADDRESS, member, (size_t)length, 0);
    }
    if (count >= 0) {
        entry->always_list = true;
        ck_assert_int_eq(entries_settle(&read.entries, entry), STATUS_OK);
    }
    ck_assert_int_eq(catalog_take(catalog, source, &snapshot->settings->policy.domains,
                                  &read, &problems),
                     STATUS_OK);
    refresh_after(1000);
}

/* 840,000 people got a test message: a list made by a rule took in everybody overnight.
 */
static void rule_made(const char *sources, size_t number, int everybody)
{
    struct text text = {0};
    text_printf(&text,
                "domains = [ \"a.example\" ];\n"
                "store = { type = \"memory\"; state_file = \"%s/state\"; };\n"
                "lists = ( %s );\n",
                folder, sources);
    file_put("mailbrake.conf", text_string(&text));
    text_clear(&text);
    load(catalog);
    take(number, 40);
    expect("rule@a.example", LIST_OK, 40, 40);
    take(number, everybody);
    expect("rule@a.example", LIST_GROWN, (uint64_t)everybody, 40);
    ck_assert(problems_hold(&problems, "rule@a.example has grown from 40 to "));
    ck_assert_uint_eq(to_notify(1, 0), 1);
    take(number, -1);
    expect("rule@a.example", LIST_GROWN, (uint64_t)everybody, 40);
    take(number, 40);
    expect("rule@a.example", LIST_OK, 40, 40);
    ck_assert_uint_eq(to_notify(1, 0), 0);
    take(number, 3000);
    accept("rule@a.example", 1);
    expect("rule@a.example", LIST_OK, 3000, 3000);
    take(number, 0);
    expect("rule@a.example", LIST_SHRUNK, 3000, 3000);
    take(number, -1);
    open_catalog();
    load(catalog);
    expect("rule@a.example", LIST_SHRUNK, 3000, 3000);
    take(number, 3000);
    expect("rule@a.example", LIST_OK, 3000, 3000);
}

START_TEST(jumps_of_a_list_of_ldap)
{
    rule_made("{ ldap = [ \"ldap://127.0.0.1:1\" ]; base = \"dc=x\"; schema = \"ad\"; }",
              0, 850000);
}
END_TEST

START_TEST(jumps_of_a_list_of_a_postfix_table)
{
    file_put("groups.cf", "server_host = ldap://127.0.0.1:1\nsearch_base = dc=x\n"
                          "query_filter = (mail=%s)\nresult_attribute = mail\n");
    rule_made("{ postfix = \"groups.cf\"; }", 0, 3000);
}
END_TEST

START_TEST(jumps_of_a_list_of_mailman)
{
    file_put("password", "secret\n");
    rule_made("{ aliases = \"aliases\"; }, { mailman = \"http://127.0.0.1:1/3.1\"; "
              "user = \"restadmin\"; password_file = \"password\"; }",
              1, 3000);
}
END_TEST

/* What was not accepted is not accepted by a file that broke: there are two. */
START_TEST(jumps_survive_a_damaged_file)
{
    put("all", "", 0, 1240);
    refresh();
    file_put("lists/sizes", "mailbrake-sizes 1 0000");
    for (int i = 0; i < 2; i++) {
        open_catalog();
        load(catalog);
        expect("all@a.example", LIST_GROWN, 1240, 40);
        ck_assert_int_eq(problems_hold(&problems, "lists/sizes: warning: is incomplete"),
                         i == 0);
    }
    ck_assert_int_eq(unlink(in_folder("lists/sizes")), 0);
    open_catalog();
    load(catalog);
    expect("all@a.example", LIST_GROWN, 1240, 40);
    file_put("lists/sizes.copy", "");
    open_catalog();
    load(catalog);
    expect("all@a.example", LIST_GROWN, 1240, 40);
}
END_TEST

START_TEST(jumps_damaged_file_is_a_warning)
{
    file_put("lists/sizes",
             "mailbrake-sizes 1 00000000000000000000000000000000\n1 1 9\n");
    ck_assert_int_eq(unlink(in_folder("lists/sizes.copy")), 0);
    open_catalog();
    load(catalog);
    ck_assert(problems_hold(&problems, "the accepted sizes of lists are lost"));
    expect("all@a.example", LIST_OK, 40, 40);
    load(catalog);
    ck_assert(!problems_hold(&problems, "the accepted sizes of lists are lost"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jumps_sources");
    TCase *test = tcase_create("jumps_sources");
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_set_timeout(test, 60);
    tcase_add_test(test, jumps_in_a_folder);
    tcase_add_test(test, jumps_of_an_alias_of_one);
    tcase_add_test(test, jumps_of_a_list_of_ldap);
    tcase_add_test(test, jumps_of_a_list_of_a_postfix_table);
    tcase_add_test(test, jumps_of_a_list_of_mailman);
    tcase_add_test(test, jumps_survive_a_damaged_file);
    tcase_add_test(test, jumps_damaged_file_is_a_warning);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
