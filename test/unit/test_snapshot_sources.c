/* Sources that can't be read: what is known of their lists then. */
#include "run.h"
#include "snapshot_fixture.h"

#define TWO_SOURCES                                                                      \
    "lists = ( { address = \"all@a.example\"; file = \"all.txt\"; %s },\n"               \
    "  { aliases = \"aliases\"; %s } );\n"

static void configure_two(const char *more)
{
    char lines[300];
    (void)snprintf(lines, sizeof lines, TWO_SOURCES, more, more);
    configure(lines);
    file_put("all.txt", "x\ny\n");
    file_put("aliases", "staff: x, y, z\nroot: x\n");
}

static void hide_sources(void)
{
    ck_assert_int_eq(unlink(in_folder("all.txt")), 0);
    ck_assert_int_eq(unlink(in_folder("aliases")), 0);
    ck_assert_int_eq(mkdir(in_folder("aliases"), 0700), 0);
}

START_TEST(snapshot_never_read_sources_are_unknown)
{
    configure_two("");
    hide_sources();
    ck_assert_int_eq(load(true), STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 2);
    ck_assert_int_eq(load(false), STATUS_OK);
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert(problems_hold(&problems, "conf:2: warning: "));
    ck_assert(problems_hold(&problems, "conf:3: warning: "));
    ck_assert(problems_hold(&problems, "not a regular file (never read successfully"));
    ck_assert_str_eq(shown("all@a.example"), "unknown 0");
    ck_assert_str_eq(shown("staff@a.example"), "unknown staff@a.example");
    ck_assert_str_eq(shown("anybody@b.example"), "unknown anybody@b.example");
    ck_assert_str_eq(shown("x@out.example"), "person x@out.example");
}
END_TEST

START_TEST(snapshot_unreadable_sources_keep_their_members)
{
    configure_two("");
    ck_assert_int_eq(load(true), STATUS_OK);
    hide_sources();
    refresh();
    ck_assert_uint_eq(warnings, 2);
    ck_assert_str_eq(shown("all@a.example"), "stale 2");
    ck_assert_str_eq(shown("staff@a.example"), "stale 3");
    ck_assert_str_eq(shown("root@a.example"), "person x@a.example");
    ck_assert_str_eq(shown("anybody@a.example"), "person anybody@a.example");
    ck_assert_int_eq(load(false), STATUS_OK);
    ck_assert_str_eq(shown("staff@a.example"), "stale 3");

    file_put("all.txt", "x\n");
    ck_assert_int_eq(rmdir(in_folder("aliases")), 0);
    file_put("aliases", "staff: x, y\n");
    refresh();
    expect_clean();
    ck_assert_str_eq(shown("all@a.example"), "ok 1");
    ck_assert_str_eq(shown("staff@a.example"), "ok 2");
    ck_assert_str_eq(shown("root@a.example"), "person root@a.example");
}
END_TEST

START_TEST(snapshot_nul_bytes_are_a_bad_source)
{
    configure_two("");
    ck_assert_int_eq(load(true), STATUS_OK);
    file_put_bytes("all.txt", "x\nn\0\n", 5);
    refresh();
    ck_assert(problems_hold(&problems, "/all.txt:2: contains a NUL byte"));
    ck_assert_str_eq(shown("all@a.example"), "stale 2");
}
END_TEST

START_TEST(snapshot_members_outlive_a_restart)
{
    configure_two("");
    ck_assert_int_eq(load(true), STATUS_OK);
    hide_sources();
    restart();
    ck_assert_int_eq(load(false), STATUS_OK);
    ck_assert_uint_eq(warnings, 2);
    ck_assert_str_eq(shown("all@a.example"), "stale 2");
    ck_assert_str_eq(shown("staff@a.example"), "stale 3");
    ck_assert_str_eq(shown("root@a.example"), "person x@a.example");
}
END_TEST

/* A small list that is read each second does not make a large one be read as often. */
START_TEST(snapshot_refresh_leaves_what_is_not_due)
{
    struct snapshot *fresh = NULL;
    configure("lists = ( { address = \"fast@a.example\"; file = \"fast\"; refresh = "
              "\"1s\"; },\n"
              "          { address = \"slow@a.example\"; file = \"slow\"; } );\n");
    file_put("fast", "a@x.example\n");
    file_put("slow", "a@x.example\n");
    ck_assert_int_eq(load(true), STATUS_OK);
    file_put("fast", "a@x.example\nb@x.example\n");
    file_put("slow", "a@x.example\nb@x.example\n");
    problems_clear(&problems);
    ck_assert_int_eq(snapshot_refresh(snapshot, catalog, clock_wall_ms() + 2000, false,
                                      &problems, &fresh),
                     STATUS_OK);
    snapshot_unref(snapshot);
    snapshot = fresh;
    ck_assert_str_eq(shown("fast@a.example"), "ok 2");
    ck_assert_str_eq(shown("slow@a.example"), "ok 1");
    refresh();
    ck_assert_str_eq(shown("slow@a.example"), "ok 2");
}
END_TEST

START_TEST(snapshot_too_old_members_are_unknown)
{
    configure_two("max_age = \"1s\";");
    ck_assert_int_eq(load(true), STATUS_OK);
    hide_sources();
    ck_assert_int_eq(usleep(1100000), 0);
    refresh();
    ck_assert(problems_hold(&problems, "its lists are unknown"));
    ck_assert_str_eq(shown("all@a.example"), "unknown 2");
    ck_assert_str_eq(shown("staff@a.example"), "unknown 3");
    ck_assert_str_eq(shown("anybody@a.example"), "person anybody@a.example");
}
END_TEST

START_TEST(snapshot_missing_include_fails_its_entry_only)
{
    configure("lists = ( { aliases = \"aliases\"; } );\n");
    file_put("aliases", "staff: x, :include:inc\nteam: y, z\n");
    file_put("inc", "v\nw\n");
    ck_assert_int_eq(load(true), STATUS_OK);
    ck_assert_str_eq(shown("staff@a.example"), "ok 3");
    ck_assert_int_eq(unlink(in_folder("inc")), 0);
    file_put("aliases", "staff: :include:inc\nteam: y, z, x\nnew: y, :include:inc\n");
    refresh();
    ck_assert_uint_eq(warnings, 2);
    ck_assert_str_eq(shown("staff@a.example"), "stale 3");
    ck_assert_str_eq(shown("team@b.example"), "ok 3");
    ck_assert_str_eq(shown("new@b.example"), "unknown 1");
    ck_assert_int_eq(load(true), STATUS_INVALID);
}
END_TEST

START_TEST(snapshot_forgets_sources_no_longer_configured)
{
    configure_two("");
    ck_assert_int_eq(load(true), STATUS_OK);
    refresh();
    configure("");
    ck_assert_int_eq(load(true), STATUS_OK);
    /* of lists that may come back */
    ck_assert_int_eq(unlink(in_folder("kept/sizes")), 0);
    ck_assert_int_eq(unlink(in_folder("kept/sizes.copy")), 0);
    ck_assert_int_eq(rmdir(in_folder("kept")), 0); /* nothing else is there */
}
END_TEST

START_TEST(snapshot_many_members)
{
    enum { COUNT = 200000 };
    struct text text = {0};
    for (int i = 0; i < COUNT; i++)
        text_printf(&text, "family%d@mail%d.example\n", i, i % 7);
    configure("lists = ( { address = \"all@a.example\"; file = \"all.txt\"; } );\n");
    file_put("all.txt", text_string(&text));
    text_clear(&text);
    int64_t start = clock_monotonic_us();
    ck_assert_int_eq(load(true), STATUS_OK);
    ck_assert_int_lt(clock_monotonic_us() - start, 10000000); /* sanitizers are slow */
    ck_assert_str_eq(shown("all@a.example"), "ok 200000");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot_sources");
    TCase *tests = tcase_create("snapshot_sources");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, snapshot_never_read_sources_are_unknown);
    tcase_add_test(tests, snapshot_unreadable_sources_keep_their_members);
    tcase_add_test(tests, snapshot_nul_bytes_are_a_bad_source);
    tcase_add_test(tests, snapshot_members_outlive_a_restart);
    tcase_add_test(tests, snapshot_refresh_leaves_what_is_not_due);
    tcase_add_test(tests, snapshot_too_old_members_are_unknown);
    tcase_add_test(tests, snapshot_missing_include_fails_its_entry_only);
    tcase_add_test(tests, snapshot_forgets_sources_no_longer_configured);
    tcase_add_test(tests, snapshot_many_members);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
