/* Configuration and lists from disk to directory, and under threads. */
#include "snapshot_fixture.h"

#include <pthread.h>

#include "lists/current_snapshot.h"
#include "run.h"

/* ---- good sources ---- */

START_TEST(snapshot_settings_outlive_it)
{
    configure("");
    ck_assert_int_eq(load(false), STATUS_OK);
    struct snapshot_settings *settings = snapshot_settings_ref(snapshot);
    snapshot_unref(snapshot);
    snapshot = NULL;
    ck_assert_uint_eq(snapshot_settings_get(settings)->policy.domains.count, 2);
    snapshot_settings_unref(settings);
}
END_TEST

START_TEST(snapshot_without_lists)
{
    configure("");
    ck_assert_int_eq(load(false), STATUS_OK);
    ck_assert_uint_eq(directory_list_count(snapshot->directory), 0);
    ck_assert_str_eq(shown("bob@a.example"), "person bob@a.example");
}
END_TEST

/* An entry that means itself, or a program, is not caught by the rest of its domain. */
START_TEST(snapshot_self_escapes_the_catch_all)
{
    configure("lists = ( { virtual = \"virtual\"; } );\n");
    file_put("virtual", "joe@a.example joe@a.example\nprog@a.example \"|cat\"\n"
                        "@a.example x@y.example, z@y.example\n");
    ck_assert_int_eq(load(false), STATUS_OK);
    ck_assert_str_eq(shown("joe@a.example"), "person joe@a.example");
    ck_assert_str_eq(shown("prog@a.example"), "person prog@a.example");
    ck_assert_str_eq(shown("else@a.example"), "ok 2");
}
END_TEST

START_TEST(snapshot_reads_all_formats)
{
    configure("lists = (\n"
              "  { address = \"All@A.example\"; file = \"all.txt\"; },\n"
              "  { aliases = \"aliases\"; },\n"
              "  { virtual = \"virtual\"; domains = [ \"b.example\" ]; } );\n");
    file_put("all.txt", "x@a.example\ny # me\nz@out.example\n");
    file_put("aliases", "staff: x, \"|prog\", /file, :include:inc\nroot: x\nbin: |true\n"
                        "both@c.example: x, y\n\"foo bar\": x, y\n");
    file_put("inc", "all\nw@out.example\n");
    file_put("virtual", "team x, y\ninfo@a.example root\n@d.example x@a.example, q@r\n"
                        "@old.example @a.example\n");
    ck_assert_int_eq(load(true), STATUS_OK);
    expect_clean();
    ck_assert_str_eq(shown("all@a.example"), "ok 3");
    ck_assert_str_eq(shown("all@b.example"), "person all@b.example");
    ck_assert_str_eq(shown("staff@a.example"), "ok 6"); /* all's, w, program, file */
    ck_assert_str_eq(shown("STAFF@b.example"), "ok 6");
    ck_assert_str_eq(shown("staff@[127.0.0.1]"), "ok 6");
    ck_assert_str_eq(shown("staff@c.example"), "person staff@c.example");
    ck_assert_str_eq(shown("root@b.example"), "person x@a.example");
    ck_assert_str_eq(shown("bin@a.example"), "person bin@a.example");
    ck_assert_str_eq(shown("both@c.example"), "ok 2");
    ck_assert_str_eq(shown("\"foo bar\"@b.example"), "ok 2");
    ck_assert_str_eq(shown("team@b.example"), "ok 2");
    ck_assert_str_eq(shown("team@a.example"), "person team@a.example");
    ck_assert_str_eq(shown("info@a.example"), "person x@a.example");
    ck_assert_str_eq(shown("anybody@d.example"), "ok 2");
    ck_assert_str_eq(shown("staff@old.example"), "ok 6");

    struct target target = find("staff@b.example");
    const struct list *list = directory_list(snapshot->directory, target.list);
    ck_assert_str_eq(list->address, "staff@a.example");
    ck_assert_str_eq(list->source, in_folder("aliases"));
    ck_assert_uint_eq(list->external, 2);
    ck_assert_int_le(llabs(list->read_at_ms - clock_wall_ms()), 10000);
}
END_TEST

START_TEST(snapshot_works_without_catalog)
{
    configure("lists = ( { aliases = \"aliases\"; } );\n");
    file_put("aliases", "staff: x, y\n");
    catalog_free(catalog);
    catalog = NULL;
    ck_assert_int_eq(load(true), STATUS_OK);
    ck_assert_str_eq(shown("staff@a.example"), "ok 2");
    ck_assert_int_eq(access(in_folder("kept"), F_OK), -1);
}
END_TEST

START_TEST(snapshot_refresh_reads_sources_again)
{
    configure("lists = ( { aliases = \"aliases\"; } );\n");
    file_put("aliases", "staff: x, y\nold: x, y\n");
    ck_assert_int_eq(load(true), STATUS_OK);
    struct snapshot *before = snapshot_ref(snapshot);
    configure("broken");
    file_put("aliases", "staff: x, y, z\n");
    refresh();
    ck_assert_ptr_eq(before->settings, snapshot->settings);
    ck_assert_str_eq(shown("staff@a.example"), "ok 3");
    ck_assert_str_eq(shown("old@a.example"), "person old@a.example");
    snapshot_unref(snapshot);
    snapshot = before; /* the older one is whole, whichever goes first */
    ck_assert_str_eq(shown("old@a.example"), "ok 2");
    ck_assert_uint_eq(snapshot->settings->list_count, 1);
}
END_TEST

/* Writes a list so long that directories borrow its members: name0@x.example, ... */
static void put_long_list(const char *name)
{
    struct text text = {0};
    for (int i = 0; i < 300; i++)
        text_printf(&text, "%s%d@x.example\n", name, i);
    configure("lists = ( { address = \"all@a.example\"; file = \"all.txt\"; } );\n");
    file_put("all.txt", text_string(&text));
    text_clear(&text);
}

static bool has_member(const struct snapshot *in, const char *member)
{
    struct address address;
    ck_assert_int_eq(address_parse(member, strlen(member), &address), STATUS_OK);
    return directory_is_member(in->directory, 0, &address);
}

START_TEST(snapshot_keeps_the_members_it_borrows)
{
    put_long_list("old");
    ck_assert_int_eq(load(true), STATUS_OK);
    struct snapshot *before = snapshot_ref(snapshot);
    put_long_list("new");
    refresh();
    restart();
    ck_assert(has_member(before, "old299@x.example"));
    ck_assert(!has_member(before, "new299@x.example"));
    ck_assert_int_eq(load(true), STATUS_OK);
    snapshot_unref(before);
    ck_assert(has_member(snapshot, "new299@x.example"));
}
END_TEST

/* ---- problems ---- */

START_TEST(snapshot_bad_configuration)
{
    configure("nonsense = 1;\n");
    ck_assert_int_eq(load(false), STATUS_INVALID);
    ck_assert_int_eq(unlink(in_folder("mailbrake.conf")), 0);
    ck_assert_int_ne(load(false), STATUS_OK);
}
END_TEST

START_TEST(snapshot_bad_lines_count_and_are_told)
{
    configure("lists = ( { address = \"all@a.example\"; file = \"all.txt\"; },\n"
              "  { aliases = \"aliases\"; } );\n");
    file_put("all.txt", "x@a.example\nhush@a.example@b\n");
    file_put("aliases", "hush hush\nstaff: x, hush@v@w\nsingle: @\n");
    ck_assert_int_eq(load(false), STATUS_OK);
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_str_eq(shown("all@a.example"), "ok 2");
    ck_assert_str_eq(shown("staff@a.example"), "ok 2");
    ck_assert_str_eq(shown("single@a.example"), "person single@a.example");

    ck_assert_int_eq(load(true), STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 4);
    ck_assert(problems_hold(&problems, "/all.txt:2: "));
    ck_assert(problems_hold(&problems, "/aliases:1: "));
    ck_assert(problems_hold(&problems, "/aliases:2: "));
    ck_assert(problems_hold(&problems, "/aliases:3: "));
    ck_assert(problems_hold(&problems, "a member of 16 bytes holds two '@'"));
}
END_TEST

/* A list that is a link to a secret tells where it is wrong, and nothing of what it says.
 */
START_TEST(snapshot_program_is_one_in_all_domains)
{
    configure("lists = ( { aliases = \"aliases\"; },\n"
              "  { virtual = \"virtual\"; domains = [ \"b.example\" ]; } );\n");
    file_put("aliases", "bin: |true\nboth: bin@a.example, bin@b.example, /x, |y\n");
    file_put("virtual", "team ann, bob@a.example\n");
    ck_assert_int_eq(load(true), STATUS_OK);
    ck_assert_str_eq(shown("bin@a.example"), "person bin@a.example");
    ck_assert_str_eq(shown("bin@b.example"), "person bin@a.example");
    ck_assert_str_eq(shown("both@b.example"), "ok 3");
    ck_assert_str_eq(shown("team@a.example"), "person team@a.example");
    uint32_t team = find("team@b.example").list;
    struct address ann;
    ck_assert_int_eq(address_parse("ann@b.example", 13, &ann), STATUS_OK);
    ck_assert(directory_is_member(snapshot->directory, team, &ann));
}
END_TEST

/* A list that is a link to a secret tells where it is wrong, and nothing of what it says.
 */
START_TEST(snapshot_problems_repeat_no_words)
{
    static const char *const texts[] = {
        "hush hush\n",
        "/hush\n|hush\n:include:\n",
        "hush: \"hush\n",
        "hush@hush@hush hush@hush@hush\n",
        "root:$6$hush$hush:1:2:::\n(hush: x\n",
        "[hush.example]:587 user:hush\nhush (hush\n",
        "hush = hush\n",
        "/hush/ hush\n",
        "requirepass hush\n@hush hush@@\n",
        "-----BEGIN HUSH-----\nhush\xff\x01+/=\n",
        " hush\n\thush\n",
        "hush hush\nhush hush\nhush: :include:\n",
    };
    configure("lists = ( { address = \"all@a.example\"; file = \"f\"; },\n"
              "  { aliases = \"f\"; }, { virtual = \"f\"; } );\n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        file_put("f", texts[i]);
        (void)load(true);
        ck_assert(!problems_hold(&problems, "hush") && !problems_hold(&problems, "HUSH"));
        (void)load(false);
        ck_assert(!problems_hold(&problems, "hush") && !problems_hold(&problems, "HUSH"));
    }
}
END_TEST

START_TEST(snapshot_postfix_settings_are_an_error)
{
    configure("lists = ( { virtual = \"groups.cf\"; } );\n");
    file_put("groups.cf", "server_host = ldap.example\nquery_filter = (mail=%s)\n");
    ck_assert_int_eq(load(true), STATUS_INVALID);
    ck_assert(
        problems_hold(&problems, "/groups.cf:1: holds the settings of an LDAP map"));
}
END_TEST

START_TEST(snapshot_names_missing_lists)
{
    configure("lists = ( { aliases = \"aliases\"; } );\n"
              "groups = { g = [ \"list:none@a.example\" ]; };\n"
              "rules = (\n"
              "  { name = \"r1\"; to = [ \"list:staff@a.example\", \"list:*\" ]; "
              "action = \"reject\"; },\n"
              "  { name = \"r2\"; from = [ \"g\" ]; action = \"reject\"; },\n"
              "  { name = \"r3\"; from_not = [ \"g\" ]; action = \"reject\"; },\n"
              "  { name = \"r4\"; to_not = [ \"list:staff@b.example\",\n"
              "    \"list:alsono@a.example\" ]; action = \"reject\"; } );\n");
    file_put("aliases", "staff: x, y\n");
    ck_assert_int_eq(load(true), STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 2);
    ck_assert(problems_hold(&problems, "conf:3: there is no list none@a.example"));
    ck_assert(problems_hold(&problems, "conf:9: there is no list alsono@a.example"));
    ck_assert_int_eq(load(false), STATUS_OK);
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_uint_eq(warnings, 2);
}
END_TEST

START_TEST(snapshot_missing_list_may_be_in_unread_source)
{
    configure("lists = ( { virtual = \"virtual\"; domains = [ \"b.example\" ]; } );\n"
              "rules = ( { name = \"r\"; to = [ \"list:staff@a.example\" ];\n"
              "  action = \"reject\"; } );\n");
    ck_assert_int_eq(load(true), STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert(problems_hold(&problems, "/virtual: No such file or directory"));
    ck_assert(problems_hold(&problems, "warning: list:staff@a.example is in no source"));
}
END_TEST

START_TEST(snapshot_cycles_are_warnings)
{
    configure("lists = ( { aliases = \"aliases\"; } );\n");
    file_put("aliases", "a: x, b\nb: y, c\nc: z, a\nself: self, x\n");
    ck_assert_int_eq(load(true), STATUS_OK);
    ck_assert_uint_eq(warnings, 1);
    ck_assert_str_eq(shown("a@a.example"), "ok 3");
    ck_assert_str_eq(shown("self@a.example"), "ok 2");
}
END_TEST

/* ---- references ---- */

struct reader {
    pthread_t thread;
    struct current_snapshot *current;
    unsigned rounds;
};

static void *read_over_and_over(void *data)
{
    struct reader *reader = data;
    for (unsigned i = 0; i < reader->rounds; i++) {
        struct snapshot *pinned = current_snapshot_get(reader->current);
        ck_assert_uint_ge(directory_list_count(pinned->directory), 1);
        ck_assert_uint_eq(pinned->settings->list_count, 1);
        ck_assert(has_member(pinned, "person299@x.example"));
        snapshot_unref(snapshot_ref(pinned));
        snapshot_unref(pinned);
    }
    return NULL;
}

START_TEST(slot_swaps_under_readers)
{
    struct current_snapshot current;
    struct reader readers[2] = {{.current = &current, .rounds = 3000},
                                {.current = &current, .rounds = 3000}};
    put_long_list("person");
    ck_assert_int_eq(load(true), STATUS_OK);
    ck_assert_int_eq(current_snapshot_init(&current), STATUS_OK);
    ck_assert_ptr_null(current_snapshot_get(&current));
    ck_assert_ptr_null(current_snapshot_swap(&current, snapshot_ref(snapshot)));
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(
            pthread_create(&readers[i].thread, NULL, read_over_and_over, &readers[i]), 0);
    for (int i = 0; i < 30; i++) {
        struct snapshot *fresh = NULL;
        ck_assert_int_eq(snapshot_refresh(snapshot, catalog, clock_wall_ms(), false,
                                          &problems, &fresh),
                         STATUS_OK);
        snapshot_unref(snapshot);
        snapshot = snapshot_ref(fresh);
        snapshot_unref(current_snapshot_swap(&current, fresh));
    }
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(readers[i].thread, NULL), 0);
    ck_assert_uint_eq(atomic_load(&snapshot->references), 2);
    current_snapshot_clear(&current);
    ck_assert_uint_eq(atomic_load(&snapshot->references), 1);
}
END_TEST

static Suite *suite_of_all(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tests = tcase_create("snapshot");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, snapshot_without_lists);
    tcase_add_test(tests, snapshot_settings_outlive_it);
    tcase_add_test(tests, snapshot_self_escapes_the_catch_all);
    tcase_add_test(tests, snapshot_reads_all_formats);
    tcase_add_test(tests, snapshot_works_without_catalog);
    tcase_add_test(tests, snapshot_refresh_reads_sources_again);
    tcase_add_test(tests, snapshot_keeps_the_members_it_borrows);
    tcase_add_test(tests, snapshot_bad_configuration);
    tcase_add_test(tests, snapshot_bad_lines_count_and_are_told);
    tcase_add_test(tests, snapshot_problems_repeat_no_words);
    tcase_add_test(tests, snapshot_program_is_one_in_all_domains);
    tcase_add_test(tests, snapshot_postfix_settings_are_an_error);
    tcase_add_test(tests, snapshot_names_missing_lists);
    tcase_add_test(tests, snapshot_missing_list_may_be_in_unread_source);
    tcase_add_test(tests, snapshot_cycles_are_warnings);
    tcase_add_test(tests, slot_swaps_under_readers);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    return run_suite(suite_of_all());
}
