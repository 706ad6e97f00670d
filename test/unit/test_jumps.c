/* Lists that suddenly grow: nothing is held against them until they jump, then they wait
 * to be accepted. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "lists/snapshot.h"
#include "lists_fixture.h"
#include "run.h"

static struct problems problems;
static struct catalog *catalog;
static struct snapshot *snapshot;
static int64_t now_ms;

static void configure(const char *top, const char *of_all)
{
    struct text text = {0};
    text_printf(&text,
                "domains = [ \"a.example\" ];\n%s\n"
                "store = { type = \"memory\"; state_file = \"%s/state\"; };\n"
                "lists = ( { address = \"all@a.example\"; file = \"all\"; %s },\n"
                "          { address = \"outer@a.example\"; file = \"outer\"; },\n"
                "          { aliases = \"aliases\"; } );\n",
                top, folder, of_all);
    file_put("mailbrake.conf", text_string(&text));
    text_clear(&text);
}

/* The addresses from one number to another, one a line. */
static void put(const char *file, const char *head, int from, int to)
{
    struct text text = {0};
    text_add_string(&text, head);
    for (int i = from; i < to; i++)
        text_printf(&text, "p%d@x.example\n", i);
    file_put(file, text_string(&text));
    text_clear(&text);
}

static void open_catalog(void)
{
    char *kept = catalog_folder(in_folder("state"));
    catalog_free(catalog);
    catalog = catalog_new(kept);
    free(kept);
    ck_assert_ptr_nonnull(catalog);
}

static void load(struct catalog *with)
{
    struct snapshot *fresh = NULL;
    problems_clear(&problems);
    ck_assert_int_eq(
        snapshot_load(in_folder("mailbrake.conf"), with, false, &problems, &fresh),
        STATUS_OK);
    snapshot_unref(snapshot);
    snapshot = fresh;
}

static void refresh_after(int64_t ms)
{
    struct snapshot *fresh = NULL;
    problems_clear(&problems);
    now_ms += ms;
    ck_assert_int_eq(snapshot_refresh(snapshot, catalog, now_ms, &problems, &fresh),
                     STATUS_OK);
    snapshot_unref(snapshot);
    snapshot = fresh;
}

static void refresh(void)
{
    refresh_after(INT64_C(10) * 60 * 1000);
}

static void setup(void)
{
    folder_make();
    configure("", "");
    put("all", "", 0, 40);
    put("outer", "all@a.example\n", 9000, 9020);
    file_put("aliases", "team: a, b\n");
    open_catalog();
    load(catalog);
    now_ms = clock_wall_ms();
}

static void teardown(void)
{
    snapshot_unref(snapshot);
    snapshot = NULL;
    catalog_free(catalog);
    catalog = NULL;
    problems_clear(&problems);
    folder_remove();
}

static const struct list *find(const char *text)
{
    struct address address;
    struct target target;
    ck_assert_int_eq(address_parse(text, strlen(text), &address), STATUS_OK);
    directory_find(snapshot->directory, &address, &target);
    ck_assert_msg(target.list != DIRECTORY_NONE, "%s is no list", text);
    return directory_list(snapshot->directory, target.list);
}

static void expect(const char *text, enum list_state state, uint64_t size, uint64_t was)
{
    const struct list *list = find(text);
    ck_assert_uint_eq(list->size, size);
    ck_assert_int_eq(list->state, state);
    ck_assert_uint_eq(list->was, was);
}

static enum status try_accept(const char *address, struct list_jumps *out)
{
    enum status status =
        jumps_accept(catalog_jumps(catalog), snapshot->directory, address, out);
    refresh_after(0);
    return status;
}

/* count: how many were accepted. */
static void accept(const char *address, size_t count)
{
    struct list_jumps jumps = {0};
    ck_assert_int_eq(try_accept(address, &jumps), STATUS_OK);
    ck_assert_uint_eq(jumps.count, count);
    list_jumps_clear(&jumps);
}

/* How many jumps wait for a notice in the ways wanted. */
static size_t to_notify(int64_t wanted, int64_t notified)
{
    struct list_jumps jumps = {0};
    int64_t found;
    ck_assert_int_eq(jumps_to_notify(catalog_jumps(catalog), wanted, &jumps, &found),
                     STATUS_OK);
    size_t count = jumps.count;
    ck_assert(count == 0 || found == notified);
    list_jumps_clear(&jumps);
    return count;
}

static void notify(int64_t wanted, int64_t notified)
{
    struct error error = {0};
    struct list_jumps jumps = {0};
    int64_t found;
    ck_assert_int_eq(jumps_to_notify(catalog_jumps(catalog), wanted, &jumps, &found),
                     STATUS_OK);
    ck_assert_int_eq(jumps_set_notified(catalog_jumps(catalog), &jumps, notified, &error),
                     STATUS_OK);
    list_jumps_clear(&jumps);
}

START_TEST(jumps_up_and_is_accepted)
{
    put("all", "", 0, 1240);
    refresh();
    expect("all@a.example", LIST_GROWN, 1240, 40);
    ck_assert(problems_hold(&problems, "all@a.example has grown from 40 to 1,240"));
    ck_assert(problems_hold(&problems, "mailbrake lists accept all@a.example"));
    expect("outer@a.example", LIST_OK, 1260, 60); /* only by what is in it */
    refresh();
    expect("all@a.example", LIST_GROWN, 1240, 40);
    accept("all@a.example", 1);
    expect("all@a.example", LIST_OK, 1240, 1240);
    expect("outer@a.example", LIST_OK, 1260, 1260);
    ck_assert(!problems_hold(&problems, "grown"));
    struct list_jumps none = {0};
    ck_assert_int_eq(try_accept("all@a.example", &none), STATUS_NOT_FOUND);
    ck_assert_int_eq(try_accept("team@a.example", &none), STATUS_NOT_FOUND);
    accept(NULL, 0);
}
END_TEST

START_TEST(jumps_bounds)
{
    put("all", "", 0, 140); /* 100 more are not over 100 */
    refresh();
    expect("all@a.example", LIST_OK, 140, 140);
    put("all", "", 0, 280); /* twice is not over twice */
    refresh();
    expect("all@a.example", LIST_OK, 280, 280);
    put("all", "", 0, 561);
    refresh();
    expect("all@a.example", LIST_GROWN, 561, 280);
    put("all", "", 0, 560); /* back again: nothing waits */
    refresh();
    expect("all@a.example", LIST_OK, 560, 560);
    ck_assert_uint_eq(to_notify(1, 0), 0);
}
END_TEST

/* The rule that took in everybody is mended, and nobody accepted what it made. */
START_TEST(jumps_up_and_back)
{
    put("all", "", 0, 1240);
    refresh();
    expect("all@a.example", LIST_GROWN, 1240, 40);
    put("all", "", 0, 300); /* still too many, but no longer 1,240 */
    refresh();
    expect("all@a.example", LIST_GROWN, 300, 40);
    put("all", "", 0, 40);
    refresh();
    expect("all@a.example", LIST_OK, 40, 40);
    expect("outer@a.example", LIST_OK, 60, 60);
    ck_assert(!problems_hold(&problems, "suddenly"));
    ck_assert_uint_eq(to_notify(1, 0), 0);

    put("all", "", 0, 1240);
    refresh();
    file_put("all", ""); /* no members are no way back */
    refresh();
    expect("all@a.example", LIST_GROWN, 1240, 40);
    accept("all@a.example", 1);
    expect("all@a.example", LIST_SHRUNK, 1240, 1240);
    accept("all@a.example", 1);
    expect("all@a.example", LIST_OK, 0, 0);
    put("all", "", 0, 40);
    refresh();
    put("all", "", 0, 1240);
    refresh();
    expect("all@a.example", LIST_GROWN, 1240, 40);
    open_catalog();
    put("all", "", 0, 40);
    load(NULL);
    expect("all@a.example", LIST_OK, 40, 40);
    load(catalog);
    expect("all@a.example", LIST_OK, 40, 40);
    ck_assert(!problems_hold(&problems, "suddenly"));
}
END_TEST

START_TEST(jumps_up_and_back_in_a_table)
{
    struct text text = {0};
    text_add_string(&text, "team: a, b");
    for (int i = 0; i < 300; i++)
        text_printf(&text, ", p%d@x.example", i);
    text_add_string(&text, "\n");
    file_put("aliases", text_string(&text));
    text_clear(&text);
    refresh();
    expect("team@a.example", LIST_GROWN, 302, 2);
    file_put("aliases", "team: a, b\n");
    refresh();
    expect("team@a.example", LIST_OK, 2, 2);
    ck_assert(!problems_hold(&problems, "suddenly"));
}
END_TEST

/* What is accepted is what was shown, not what its source says at that moment. */
START_TEST(jumps_accepted_while_the_source_changes)
{
    struct list_jumps jumps = {0};
    put("all", "", 0, 1240);
    refresh();
    file_put("all", "");
    ck_assert_int_eq(
        jumps_accept(catalog_jumps(catalog), snapshot->directory, NULL, &jumps),
        STATUS_OK);
    refresh(); /* the file is due */
    expect("all@a.example", LIST_SHRUNK, 1240, 1240);
    list_jumps_clear(&jumps);
}
END_TEST

START_TEST(jumps_settings)
{
    configure("growth_floor = 10; max_growth = 1.5;", "max_growth = 0;");
    load(catalog);
    put("all", "", 0, 5000);
    file_put("aliases", "team: a, b, c, d, e, f, g, h, i, j, k, l, m\n");
    load(catalog);
    expect("all@a.example", LIST_OK, 5000, 5000); /* off */
    expect("team@a.example", LIST_GROWN, 13, 2);
    file_put("all", "");
    load(catalog);
    expect("all@a.example", LIST_OK, 0, 0);
    put("outer", "all@a.example\n", 9000, 9016); /* 60 became 5020, then 20; less by 4 */
    load(catalog);
    expect("outer@a.example", LIST_OK, 16, 16);
}
END_TEST

/* A list that takes in a large one has grown itself, though by one line. */
START_TEST(jumps_by_a_nested_list)
{
    put("all", "", 0, 500);
    refresh();
    accept(NULL, 1);
    file_put("aliases", "team: a, b, all\n");
    refresh();
    expect("team@a.example", LIST_GROWN, 502, 2);
    expect("all@a.example", LIST_OK, 500, 500);
    accept("team@a.example", 1);
    expect("team@a.example", LIST_OK, 502, 502);
}
END_TEST

/* What it grew by itself waits, also when the list in it was accepted. */
START_TEST(jumps_of_two_reasons)
{
    put("all", "", 0, 1040);
    put("outer", "all@a.example\n", 2000, 2520);
    refresh();
    expect("all@a.example", LIST_GROWN, 1040, 40);
    expect("outer@a.example", LIST_GROWN, 1560, 60);
    accept("all@a.example", 1);
    expect("outer@a.example", LIST_OK, 1560, 1560); /* 1,060 to 1,560 is no jump */
    put("all", "", 0, 4000);
    put("outer", "all@a.example\n", 2000, 9000);
    refresh();
    expect("all@a.example", LIST_GROWN, 4000, 1040);
    expect("outer@a.example", LIST_GROWN, 9000, 1560);
    accept(NULL, 2);
    expect("outer@a.example", LIST_OK, 9000, 9000);
}
END_TEST

START_TEST(jumps_in_a_circle_are_one)
{
    file_put("aliases", "left: right, x\nright: left, y\n");
    refresh();
    struct text text = {0};
    text_add_string(&text, "left: right, x");
    for (int i = 0; i < 300; i++)
        text_printf(&text, ", p%d@x.example", i);
    text_add_string(&text, "\nright: left, y\n");
    file_put("aliases", text_string(&text));
    text_clear(&text);
    refresh();
    ck_assert_int_ne(find("left@a.example")->state, find("right@a.example")->state);
    accept(NULL, 1);
    expect("left@a.example", LIST_OK, 302, 302);
    expect("right@a.example", LIST_OK, 302, 302);
}
END_TEST

START_TEST(jumps_outlive_a_restart_and_check_sees_them)
{
    put("all", "", 0, 1240);
    refresh();
    ck_assert_uint_eq(to_notify(3, 0), 1);
    notify(3, 1);
    ck_assert_uint_eq(to_notify(1, 0), 0);
    ck_assert_uint_eq(to_notify(3, 1), 1);
    load(NULL); /* as mailbrake check does, beside the daemon */
    expect("all@a.example", LIST_GROWN, 1240, 40);
    open_catalog();
    load(catalog);
    expect("all@a.example", LIST_GROWN, 1240, 40);
    ck_assert_uint_eq(to_notify(1, 0), 0);
    ck_assert_uint_eq(to_notify(3, 1), 1);
    notify(3, 2);
    ck_assert_uint_eq(to_notify(3, 0), 0);
    accept("all@a.example", 1);
    open_catalog();
    load(catalog);
    expect("all@a.example", LIST_OK, 1240, 1240);
    ck_assert(!problems_hold(&problems, "grown"));
}
END_TEST

/* It grew while nobody looked. */
START_TEST(jumps_while_stopped)
{
    catalog_free(catalog);
    catalog = NULL;
    put("all", "", 0, 1240);
    open_catalog();
    load(catalog);
    expect("all@a.example", LIST_GROWN, 1240, 40);
}
END_TEST

/* Gone and back again is no way around it. */
START_TEST(jumps_of_a_list_that_was_gone)
{
    struct text text = {0};
    file_put("aliases", "other: a, b\n");
    refresh();
    text_add_string(&text, "team: a");
    for (int i = 0; i < 300; i++)
        text_printf(&text, ", p%d@x.example", i);
    text_add_string(&text, "\nnew: a");
    for (int i = 0; i < 300; i++)
        text_printf(&text, ", p%d@x.example", i);
    text_add_string(&text, "\n");
    file_put("aliases", text_string(&text));
    text_clear(&text);
    refresh();
    expect("team@a.example", LIST_GROWN, 301, 2);
    expect("new@a.example", LIST_OK, 301, 301);
}
END_TEST

START_TEST(jumps_down_and_is_accepted)
{
    put("all", "", 0, 400);
    refresh();
    accept(NULL, 1);
    put("all", "", 395, 405); /* 5 of them new */
    refresh();
    expect("all@a.example", LIST_SHRUNK, 405, 400);
    ck_assert(problems_hold(&problems, "suddenly has 10 members instead of 400"));
    ck_assert_uint_eq(to_notify(1, 0), 1);
    notify(1, 1);
    ck_assert_int_eq(unlink(in_folder("all")),
                     0); /* can't be read: still the same jump */
    refresh();
    expect("all@a.example", LIST_SHRUNK, 405, 400);
    ck_assert_uint_eq(to_notify(1, 0), 0);
    open_catalog();
    put("all", "", 395, 405);
    load(catalog);
    expect("all@a.example", LIST_SHRUNK, 405, 400);
    ck_assert_uint_eq(to_notify(1, 0), 0);
    accept("all@a.example", 1);
    expect("all@a.example", LIST_OK, 10, 10);
    open_catalog();
    load(catalog);
    expect("all@a.example", LIST_OK, 10, 10);
}
END_TEST

/* Of a list that is gone nothing is left then. */
START_TEST(jumps_of_a_list_that_is_gone_are_accepted)
{
    struct address address;
    struct target target;
    struct text text = {0};
    text_add_string(&text, "other: a, b\nteam: a");
    for (int i = 0; i < 300; i++)
        text_printf(&text, ", p%d@x.example", i);
    text_add_string(&text, "\n");
    file_put("aliases", text_string(&text));
    text_clear(&text);
    refresh();
    accept("team@a.example", 1);
    file_put("aliases", "other: a, b\n");
    refresh();
    expect("team@a.example", LIST_SHRUNK, 301, 301);
    accept("team@a.example", 1);
    ck_assert_int_eq(address_parse("team@a.example", 14, &address), STATUS_OK);
    directory_find(snapshot->directory, &address, &target);
    ck_assert_int_eq(target.kind, TARGET_PERSON);
    refresh();
    directory_find(snapshot->directory, &address, &target);
    ck_assert_int_eq(target.kind, TARGET_PERSON);
}
END_TEST

/* Two sources at one address are one list. */
START_TEST(jumps_of_joined_lists)
{
    file_put("aliases", "all: q1, q2\n");
    refresh();
    expect("all@a.example", LIST_OK, 42, 42);
    put("all", "", 0, 400);
    refresh();
    expect("all@a.example", LIST_GROWN, 402, 42);
    accept("all@a.example", 1);
    expect("all@a.example", LIST_OK, 402, 402);
    expect("outer@a.example", LIST_OK, 422, 422);
}
END_TEST

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

/* The records of lists that went long ago are forgotten, those of others stay. */
START_TEST(jumps_of_a_list_that_went_long_ago)
{
    file_put("aliases", "other: a, b\n");
    put("all", "", 0, 1240);
    refresh();
    refresh_after(INT64_C(31) * 24 * 3600 * 1000);
    file_put("aliases", "other: a, b\nteam: a, b, all\n");
    refresh();
    expect("team@a.example", LIST_OK, 1242, 1242); /* as a new list */
    expect("all@a.example", LIST_GROWN, 1240, 40);
    accept("all@a.example", 1);
    expect("all@a.example", LIST_OK, 1240, 1240);
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
    Suite *suite = suite_create("jumps");
    TCase *test = tcase_create("jumps");
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_set_timeout(test, 60);
    tcase_add_test(test, jumps_up_and_is_accepted);
    tcase_add_test(test, jumps_bounds);
    tcase_add_test(test, jumps_up_and_back);
    tcase_add_test(test, jumps_up_and_back_in_a_table);
    tcase_add_test(test, jumps_settings);
    tcase_add_test(test, jumps_by_a_nested_list);
    tcase_add_test(test, jumps_of_two_reasons);
    tcase_add_test(test, jumps_in_a_circle_are_one);
    tcase_add_test(test, jumps_outlive_a_restart_and_check_sees_them);
    tcase_add_test(test, jumps_while_stopped);
    tcase_add_test(test, jumps_of_a_list_that_was_gone);
    tcase_add_test(test, jumps_down_and_is_accepted);
    tcase_add_test(test, jumps_accepted_while_the_source_changes);
    tcase_add_test(test, jumps_of_a_list_that_is_gone_are_accepted);
    tcase_add_test(test, jumps_of_joined_lists);
    tcase_add_test(test, jumps_in_a_folder);
    tcase_add_test(test, jumps_of_a_list_of_ldap);
    tcase_add_test(test, jumps_of_a_list_of_a_postfix_table);
    tcase_add_test(test, jumps_of_a_list_of_mailman);
    tcase_add_test(test, jumps_of_a_list_that_went_long_ago);
    tcase_add_test(test, jumps_survive_a_damaged_file);
    tcase_add_test(test, jumps_damaged_file_is_a_warning);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
