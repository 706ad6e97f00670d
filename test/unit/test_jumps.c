/* Lists that suddenly grow: nothing is held against them until they jump, then they wait
 * to be accepted. */
#include <unistd.h>

#include "jumps_fixture.h"
#include "run.h"

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
    add_people(&text);
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
    add_people(&text);
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
    add_people(&text);
    text_add_string(&text, "\nnew: a");
    add_people(&text);
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
    add_people(&text);
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

int main(void)
{
    Suite *suite = suite_create("jumps");
    TCase *test = tcase_create("jumps");
    tcase_add_checked_fixture(test, setup, teardown);
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
    tcase_add_test(test, jumps_of_a_list_that_went_long_ago);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
