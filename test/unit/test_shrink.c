/* Lists whose file is suddenly empty or cut: the members of before count on, beside those
 * that there are. */
#include "base/clock.h"
#include "lists/snapshot.h"
#include "lists_fixture.h"
#include "run.h"

static struct problems problems;
static struct catalog *catalog;
static struct snapshot *snapshot;
static int64_t now_ms;

static void configure(const char *more)
{
    struct text text = {0};
    text_printf(&text,
                "domains = [ \"a.example\" ];\n"
                "store = { type = \"memory\"; state_file = \"%s/state\"; };\n"
                "lists = ( { address = \"all@a.example\"; file = \"all\"; %s },\n"
                "          { aliases = \"aliases\"; }, { virtual = \"virtual\"; } );\n",
                folder, more);
    file_put("mailbrake.conf", text_string(&text));
    text_clear(&text);
}

/* So many addresses, one a line or in one. */
static const char *people(const char *head, int count, const char *gap)
{
    static struct text text;
    text_reset(&text);
    text_add_string(&text, head);
    for (int i = 0; i < count; i++)
        text_printf(&text, "%sp%d@x.example", i == 0 ? "" : gap, i);
    text_add_string(&text, "\n");
    return text_string(&text);
}

static void open_catalog(void)
{
    char *kept = catalog_folder(in_folder("state"));
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

static void setup(void)
{
    folder_make();
    configure("");
    file_put("all", people("", 250, "\n"));
    file_put("aliases", people("staff: ", 150, ", "));
    file_put("virtual", people("team@a.example ", 9, ", "));
    open_catalog();
    load(catalog);
    now_ms = clock_wall_ms();
}

static void teardown(void)
{
    snapshot_unref(snapshot);
    snapshot = NULL;
    catalog_free(catalog);
    problems_clear(&problems);
    folder_remove();
}

static void refresh_after(int64_t ms)
{
    struct snapshot *fresh = NULL;
    problems_clear(&problems);
    now_ms += ms;
    ck_assert_int_eq(
        snapshot_refresh(snapshot, catalog, now_ms, false, &problems, &fresh), STATUS_OK);
    snapshot_unref(snapshot);
    snapshot = fresh;
}

static void refresh(void)
{
    refresh_after(INT64_C(10) * 60 * 1000);
}

static void expect(const char *text, enum list_state state, uint64_t size)
{
    struct address address;
    struct target target;
    ck_assert_int_eq(address_parse(text, strlen(text), &address), STATUS_OK);
    directory_find(snapshot->directory, &address, &target);
    ck_assert_msg(target.list != DIRECTORY_NONE, "%s is no list", text);
    const struct list *list = directory_list(snapshot->directory, target.list);
    ck_assert_uint_eq(list->size, size);
    ck_assert_int_eq(list->state, state);
}

static void accept(const char *address)
{
    struct list_jumps jumps = {0};
    ck_assert_int_eq(
        jumps_accept(catalog_jumps(catalog), snapshot->directory, address, &jumps),
        STATUS_OK);
    ck_assert_uint_ge(jumps.count, 1);
    list_jumps_clear(&jumps);
    refresh_after(0);
}

static void put_people(const char *file, int count)
{
    file_put(file, people("", count, "\n"));
}

START_TEST(shrink_emptied_files_keep_their_members)
{
    static const struct {
        const char *text;
        uint64_t words;
    } files[] = {
        {"", 0},
        {"# nobody\n", 0},
        {"\n\n", 0},
        {"Error: could not connect to the database\n", 6},
        {"<html><body>502 Bad Gateway</body></html>\n", 4},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        file_put("all", files[i].text);
        refresh();
        expect("all@a.example", LIST_SHRUNK, 250 + files[i].words);
        ck_assert(problems_hold(&problems, "all@a.example suddenly has "));
        ck_assert(problems_hold(&problems, "instead of 250"));
    }
    put_people("all", 251);
    refresh();
    expect("all@a.example", LIST_OK, 251);
    ck_assert(!problems_hold(&problems, "suddenly"));
}
END_TEST

START_TEST(shrink_bounds)
{
    put_people("all", 125); /* half is not more than half */
    refresh();
    expect("all@a.example", LIST_OK, 125);
    put_people("all", 25); /* 100 are not over 100 */
    refresh();
    expect("all@a.example", LIST_OK, 25);
    put_people("all", 1);
    refresh();
    expect("all@a.example", LIST_OK, 1);
    put_people("all", 250);
    refresh();
    expect("all@a.example", LIST_GROWN, 250);
    accept("all@a.example");
    expect("all@a.example", LIST_OK, 250);
    put_people("all", 124);
    refresh();
    expect("all@a.example", LIST_SHRUNK, 250);
    put_people("all", 10); /* further down: those of before still */
    refresh();
    expect("all@a.example", LIST_SHRUNK, 250);
    put_people("all", 125);
    refresh();
    expect("all@a.example", LIST_OK, 125);
}
END_TEST

START_TEST(shrink_tables)
{
    file_put("aliases", "# all gone\n");
    file_put("virtual", "");
    refresh();
    expect("staff@a.example", LIST_SHRUNK, 150);
    expect("team@a.example", LIST_SHRUNK, 9);
    ck_assert(problems_hold(&problems, "/aliases: warning: suddenly has 0 members in all "
                                       "its entries instead of 150"));
    file_put("aliases", people("staff: ", 10, ", "));
    file_put("virtual", people("team@a.example ", 2, ", "));
    refresh();
    expect("staff@a.example", LIST_SHRUNK, 150);
    expect("team@a.example", LIST_OK, 2);
    file_put("aliases", people("other: ", 150, ", ")); /* renamed, or lost */
    refresh();
    expect("staff@a.example", LIST_SHRUNK, 150);
    expect("other@a.example", LIST_OK, 150);
}
END_TEST

/* A small list that is gone while the table stands is one that somebody removed. */
START_TEST(shrink_removed_small_lists_are_gone)
{
    struct address address;
    struct target target;
    file_put("virtual", "team@a.example a, b\nother@a.example c, d, e\n");
    refresh();
    file_put("virtual", "other@a.example c, d, e\n");
    refresh();
    ck_assert_int_eq(address_parse("team@a.example", 14, &address), STATUS_OK);
    directory_find(snapshot->directory, &address, &target);
    ck_assert_int_eq(target.kind, TARGET_PERSON);
    ck_assert(!problems_hold(&problems, "suddenly"));
}
END_TEST

START_TEST(shrink_outlives_a_restart_and_check_sees_it)
{
    put_people("all", 3);
    load(NULL); /* as mailbrake check does, beside the daemon */
    expect("all@a.example", LIST_SHRUNK, 250);
    ck_assert(problems_hold(&problems, "suddenly has 3 members instead of 250"));
    catalog_free(catalog);
    open_catalog();
    load(catalog);
    expect("all@a.example", LIST_SHRUNK, 250);
    catalog_free(catalog);
    open_catalog();
    load(catalog);
    expect("all@a.example", LIST_SHRUNK, 250);
    load(NULL);
    expect("all@a.example", LIST_SHRUNK, 250);
    ck_assert(problems_hold(&problems, "suddenly has 3 members instead of 250"));
}
END_TEST

START_TEST(shrink_ends_with_max_age)
{
    put_people("all", 3);
    refresh();
    refresh_after(INT64_C(6) * 86400 * 1000);
    expect("all@a.example", LIST_SHRUNK, 250);
    refresh_after(INT64_C(1) * 86400 * 1000);
    expect("all@a.example", LIST_OK, 3);
    ck_assert(!problems_hold(&problems, "suddenly"));
}
END_TEST

START_TEST(shrink_ends_with_a_short_max_age)
{
    put_people("all", 3);
    refresh();
    expect("all@a.example", LIST_SHRUNK, 250);
    configure("max_age = \"1s\";");
    ck_assert_int_eq(usleep(1050000), 0);
    load(catalog);
    expect("all@a.example", LIST_OK, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shrink");
    TCase *test = tcase_create("shrink");
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, shrink_emptied_files_keep_their_members);
    tcase_add_test(test, shrink_bounds);
    tcase_add_test(test, shrink_tables);
    tcase_add_test(test, shrink_removed_small_lists_are_gone);
    tcase_add_test(test, shrink_outlives_a_restart_and_check_sees_it);
    tcase_add_test(test, shrink_ends_with_max_age);
    tcase_add_test(test, shrink_ends_with_a_short_max_age);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
