/* Who is reached by an address. */
#include "directory_fixture.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

START_TEST(directory_empty_knows_nobody)
{
    seal();
    ck_assert_uint_eq(directory_list_count(directory), 0);
    expect_person("a@own", "a@own");
    ck_assert_uint_eq(find("a@own").person, DIRECTORY_NONE);
    expect_person("", "");
    expect_person("a", "a");
    expect_person("@own", "@own");
}
END_TEST

START_TEST(directory_list_is_its_members)
{
    uint32_t list = list_of("l@own", "a@own B b@too c@else a@own");
    uint32_t empty = list_of("empty@own", "");
    seal();
    expect_list("L@own", list);
    expect_list("empty@own", empty);
    ck_assert_uint_eq(size_of(list), 4);
    ck_assert_uint_eq(size_of(empty), 0);
    const struct list *seen = directory_list(directory, list);
    ck_assert_uint_eq(seen->external, 1);
    ck_assert_str_eq(seen->address, "l@own");
    ck_assert_str_eq(seen->source, "/lists");
    ck_assert_int_eq(seen->read_at_ms, 1);
    ck_assert_int_eq(seen->state, LIST_OK);
    ck_assert(is_member(list, "b@own"));
    ck_assert(!is_member(list, "l@own"));
    ck_assert_uint_ne(find("b@own").person, DIRECTORY_NONE);
    ck_assert_uint_ne(find("b@own").person, find("b@too").person);
    expect_nested(list, 0, NULL);
}
END_TEST

START_TEST(directory_diamond_counts_once)
{
    uint32_t top = list_of("top@own", "left@own right@own t@own");
    uint32_t left = list_of("left@own", "bottom@own l@own");
    uint32_t right = list_of("right@own", "bottom@own r@own l@own");
    uint32_t bottom = list_of("bottom@own", "b1@own b2@own");
    seal();
    ck_assert_uint_eq(size_of(top), 5);
    ck_assert_uint_eq(size_of(left), 3);
    ck_assert_uint_eq(size_of(right), 4);
    ck_assert_uint_eq(size_of(bottom), 2);
    ck_assert(directory_contains(directory, top, bottom));
    ck_assert(directory_contains(directory, top, top));
    ck_assert(!directory_contains(directory, bottom, top));
    ck_assert(!directory_contains(directory, left, right));
    expect_nested(top, 3, (uint32_t[]){left, right, bottom});
    ck_assert(is_member(top, "b1@own"));
    ck_assert(!is_member(left, "r@own"));
    ck_assert_uint_eq(problems.warnings, 0);
}
END_TEST

START_TEST(directory_cycle_is_one_warning)
{
    uint32_t outer = list_of("outer@own", "b@own o@own");
    uint32_t a = list_of("a@own", "b@own pa@own");
    uint32_t b = list_of("b@own", "c@own pb@own");
    uint32_t c = list_of("c@own", "a@own pc@else leaf@own");
    uint32_t leaf = list_of("leaf@own", "p@own");
    seal();
    ck_assert_uint_eq(size_of(a), 4);
    ck_assert_uint_eq(size_of(b), 4);
    ck_assert_uint_eq(size_of(c), 4);
    ck_assert_uint_eq(size_of(outer), 5);
    ck_assert_uint_eq(directory_list(directory, outer)->external, 1);
    ck_assert_uint_eq(problems.warnings, 1);
    ck_assert_str_eq(problems.items[0].file, "/lists");
    ck_assert_ptr_nonnull(
        strstr(problems.items[0].text, "a@own -> b@own -> c@own -> a@own"));
    expect_nested(a, 3, (uint32_t[]){b, c, leaf});
    expect_nested(c, 3, (uint32_t[]){a, b, leaf});
    expect_nested(outer, 4, (uint32_t[]){a, b, c, leaf});
    ck_assert(directory_contains(directory, b, a));
    ck_assert(!directory_contains(directory, a, outer));
}
END_TEST

START_TEST(directory_long_cycle_is_a_short_warning)
{
    char address[32];
    char next[32];
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(address, sizeof address, "l%u@own", i);
        (void)snprintf(next, sizeof next, "l%u@own p%u@own", (i + 1) % 1000, i);
        (void)list_of(address, next);
    }
    seal();
    ck_assert_uint_eq(size_of(0), 1000);
    ck_assert_uint_eq(problems.warnings, 1);
    ck_assert_uint_lt(strlen(problems.items[0].text), 400);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, "... -> l0@own"));
}
END_TEST

START_TEST(directory_self_is_the_mailbox)
{
    uint32_t root = list_of("root@own", "root admin@own");
    uint32_t tagged = list_of("t@own", "t+box@own");
    uint32_t renamed = list_of("r@own", "r@old");
    redirect("@old", "@own");
    seal();
    ck_assert_uint_eq(size_of(root), 2);
    ck_assert_uint_eq(size_of(tagged), 1);
    ck_assert_uint_eq(size_of(renamed), 1);
    ck_assert_uint_eq(problems.warnings, 0);
    ck_assert(is_member(root, "root@own"));
    ck_assert(is_member(tagged, "t@own"));
    expect_nested(root, 0, NULL);
    expect_list("root@own", root);
}
END_TEST

START_TEST(directory_order_of_adding_does_not_matter)
{
    uint32_t top =
        list_of("top@own", "sub@own sub+x@own alias@own s@old any@catch x@own");
    uint32_t sub = list_of("sub@own", "a@own");
    uint32_t catcher = list_of("@catch", "b@own");
    redirect("alias@own", "far@too");
    redirect("@old", "@own");
    uint32_t far = list_of("far@too", "c@own");
    uint32_t s = list_of("s@own", "d@own");
    seal();
    expect_nested(top, 4, (uint32_t[]){sub, catcher, far, s});
    ck_assert_uint_eq(size_of(top), 5);
}
END_TEST

START_TEST(directory_tag_is_looked_up_whole_first)
{
    uint32_t list = list_of("l@own", "a@own");
    uint32_t tagged = list_of("l+x@own", "a+tag@own b@own c+tag@else");
    seal();
    expect_list("l+y@own", list);
    expect_list("l+x@own", tagged);
    expect_person("a+anything@own", "a@own");
    expect_person("c+tag@else", "c+tag@else");
    expect_person("new+tag@own", "new@own");
    expect_person("+tag@own", "+tag@own");
    ck_assert(is_member(tagged, "a@own"));
    ck_assert(is_member(list, "a+other@own"));
    ck_assert(!is_member(tagged, "c@else"));
    ck_assert_uint_eq(find("a+1@own").person, find("a@own").person);
}
END_TEST

START_TEST(directory_answers_in_other_domains)
{
    uint32_t list = list_of("l@own", "a@own");
    bind_list("l@too", list);
    bind_list("l@too", list);
    seal();
    expect_list("l+tag@too", list);
    ck_assert_uint_eq(directory_list_count(directory), 1);
    ck_assert_str_eq(find("l@too").address.text, "l@own");
}
END_TEST

START_TEST(directory_literal_is_the_largest_list)
{
    uint32_t small = list_of("l@own", "a@own");
    uint32_t large = list_of("l@too", "a@own b@own");
    uint32_t only = list_of("only@too", "a@own");
    uint32_t bound = list_of("bound@[1.2.3.4]", "z@own");
    uint32_t holder = list_of("holder@own", "l@[127.0.0.1] p@[127.0.0.1]");
    redirect("alias@own", "l@[1.2.3.4]");
    seal();
    expect_list("l@[127.0.0.1]", large);
    expect_list("l+x@[IPv6:::1]", large);
    expect_list("only@[1.2.3.4]", only);
    expect_list("bound@[1.2.3.4]", bound);
    expect_list("alias@own", large);
    expect_person("a@[1.2.3.4]", "a@[1.2.3.4]");
    expect_nested(holder, 2, (uint32_t[]){small, large}); /* which one, is not known */
    ck_assert_uint_eq(size_of(holder), 3);
}
END_TEST

START_TEST(directory_two_lists_at_one_address_are_both)
{
    uint32_t a = list_of("l@own", "p@own q@own");
    bind_list("a@own", a);
    uint32_t b = list_of("l@own", "q@own r@else");
    bind_list("b@own", b);
    uint32_t c = list_of("l@own", "s@own l@own");
    uint32_t holder = list_of("holder@own", "l@own");
    bind_list("l@own", a);
    seal();
    uint32_t both = find("l@own").list;
    ck_assert_uint_gt(both, b);
    expect_list("l+x@own", both);
    ck_assert_str_eq(directory_list(directory, both)->address, "l@own");
    ck_assert_uint_eq(size_of(both), 5);
    ck_assert_uint_eq(size_of(holder), 5);
    ck_assert_uint_eq(directory_list(directory, both)->external, 1);
    ck_assert_uint_eq(directory_list_count(directory), 5);
    expect_list("a@own", a);
    expect_list("b@own", b);
    ck_assert_uint_eq(size_of(a), 2);
    ck_assert_uint_eq(size_of(c), 2);
    expect_nested(both, 3, (uint32_t[]){a, b, c});
    expect_nested(c, 0, NULL); /* its own name in it is the mailbox */
    ck_assert_uint_eq(problems.warnings, 0);
}
END_TEST

START_TEST(directory_list_and_redirect_at_one_address_are_both)
{
    redirect("x@own", "t@own");
    uint32_t first = list_of("x@own", "p@own");
    uint32_t second = list_of("y@own", "p@own");
    redirect("y@own", "x@own");
    redirect("y@own", "t@own");
    redirect("z@own", "t@own");
    redirect("z@own", "u@own");
    redirect("z@own", "t@own");
    seal();
    struct target x = find("x@own");
    struct target y = find("y@own");
    struct target z = find("z@own");
    ck_assert_int_eq(x.kind, TARGET_LIST);
    ck_assert_uint_eq(size_of(x.list), 2);
    ck_assert(directory_contains(directory, x.list, first));
    ck_assert_uint_eq(size_of(y.list), 2);
    ck_assert(directory_contains(directory, y.list, second));
    ck_assert(directory_contains(directory, y.list, x.list));
    ck_assert_uint_eq(size_of(z.list), 2);
    ck_assert_uint_eq(size_of(first), 1);
}
END_TEST

START_TEST(directory_joined_list_takes_the_worse_state)
{
    (void)list_of("a@own", "p@own");
    (void)list_in_state("a@own", "q@own", LIST_STALE);
    (void)list_of("b@own", "p@own");
    (void)list_in_state("b@own", "", LIST_UNKNOWN);
    seal();
    struct target stale = find("a@own");
    ck_assert_int_eq(stale.kind, TARGET_LIST);
    ck_assert_int_eq(directory_list(directory, stale.list)->state, LIST_STALE);
    ck_assert_int_eq(find("b@own").kind, TARGET_UNKNOWN);
}
END_TEST

START_TEST(directory_unknown_spreads_upwards)
{
    uint32_t top = list_of("top@own", "middle@own a@own");
    uint32_t middle = list_of("middle@own", "lost@own b@own");
    uint32_t lost = list_in_state("lost@own", "", LIST_UNKNOWN);
    uint32_t stale = list_in_state("stale@own", "c@own", LIST_STALE);
    uint32_t holder = list_of("holder@own", "stale@own leaf@own");
    uint32_t leaf = list_of("leaf@own", "d@own");
    uint32_t one = list_of("one@own", "two@own");
    uint32_t two = list_of("two@own", "one@own lost@own");
    seal();
    expect_unknown("lost@own", lost);
    expect_unknown("middle+x@own", middle);
    expect_unknown("top@own", top);
    expect_unknown("one@own", one);
    expect_unknown("two@own", two);
    expect_list("stale@own", stale);
    expect_list("holder@own", holder);
    expect_list("leaf@own", leaf);
    expect_unknown("top@[1.2.3.4]", top);
    ck_assert_int_eq(directory_list(directory, top)->state, LIST_UNKNOWN);
    ck_assert_int_eq(directory_list(directory, stale)->state, LIST_STALE);
    ck_assert_int_eq(directory_list(directory, holder)->state, LIST_OK);
    ck_assert_uint_eq(size_of(top), 2);
    ck_assert(is_member(top, "b@own"));
}
END_TEST

START_TEST(directory_doubted_domain_has_no_strangers)
{
    doubt("own");
    uint32_t list = list_of("l@own", "a@too");
    uint32_t holder = list_of("h@own", "bob@own");
    redirect("alias@own", "c@too");
    redirect("self@own", "self@own");
    redirect("alias@too", "bob@own");
    seal();
    expect_list("l+x@own", list);
    expect_person("alias@own", "c@too");
    expect_person("self@own", "self@own");
    expect_person("c@too", "c@too");
    expect_unknown("bob@own", DIRECTORY_NONE);
    expect_unknown("alias@too", DIRECTORY_NONE);
    expect_unknown("any@[1.2.3.4]", DIRECTORY_NONE);
    expect_list("l@[1.2.3.4]", list);
    expect_unknown("h@own", holder); /* bob may be a list */
    ck_assert(is_member(holder, "bob+x@own"));
    ck_assert_str_eq(find("bob+x@own").address.text, "bob@own");
}
END_TEST

START_TEST(directory_opaque_counts_as_one_inside)
{
    uint32_t a = list_of("a@own", "p@else");
    uint32_t b = list_of("b@own", "a@own");
    static const char *const members[] = {"|prog", "/file", "|prog", "p@own"};
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(
            directory_add_opaque(directory, a, members[i], strlen(members[i])),
            STATUS_OK);
    ck_assert_int_eq(directory_add_opaque(directory, b, "|prog", 5), STATUS_OK);
    ck_assert_int_eq(directory_add_opaque(directory, b, "|p\0g", 4), STATUS_OK);
    seal();
    ck_assert_uint_eq(size_of(a), 4);
    ck_assert_uint_eq(size_of(b), 5);
    ck_assert_uint_eq(directory_list(directory, a)->external, 1);
    ck_assert(!is_member(a, "p@own"));
    ck_assert(!is_member(a, "|prog"));
    ck_assert_uint_eq(find("p@own").person, DIRECTORY_NONE);
}
END_TEST

static const struct {
    const char *raw;
    const char *text; /* NULL: refused */
} members[] = {
    {"Bob", "bob@own"},
    {"<Bob@Else>", "bob@else"},
    {"Bob Smith <bob@else>", "bob@else"},
    {"bob@else (Bob)", "bob@else"},
    {"\"bob smith\"@else", "\"bob smith\"@else"},
    {"b..b@else", "\"b..b\"@else"},
    {"p@[1.2.3.4]", "p@[1.2.3.4]"},
    {"", NULL},
    {"<>", NULL},
    {"  ", NULL},
    {"(bob)", NULL},
    {"@else", NULL},
    {"bob smith@else", NULL},
    {"bob smith", NULL},
    {"a@b@c", NULL},
    {"a@b c@d", NULL},
    {"\"a@b\"@c", NULL},
    {"a@b c", NULL},
    {"a@b,c", NULL},
    {"a@b;", NULL},
    {"bob\x1b[31m smith", NULL},
};

START_TEST(directory_takes_only_addresses)
{
    struct error error = {.text = ""};
    uint32_t list = list_of("l@own", "");
    enum status status = directory_add_member(directory, list, members[_i].raw,
                                              strlen(members[_i].raw), "own", &error);
    ck_assert_int_eq(status, members[_i].text != NULL ? STATUS_OK : STATUS_INVALID);
    seal();
    ck_assert_uint_eq(size_of(list), members[_i].text != NULL ? 1 : 0);
    if (members[_i].text != NULL) {
        ck_assert(is_member(list, members[_i].text));
    } else {
        ck_assert_str_ne(error.text, "");
        ck_assert_ptr_null(strchr(error.text, '\x1b'));
    }
}
END_TEST

START_TEST(directory_refuses_a_long_member)
{
    char raw[5000];
    struct error error;
    uint32_t list = list_of("l@own", "");
    memset(raw, 'a', sizeof raw);
    ck_assert_int_eq(
        directory_add_member(directory, list, raw, sizeof raw, "own", &error),
        STATUS_INVALID);
    ck_assert_int_eq(
        directory_add_member(directory, list, raw, ADDRESS_SIZE - 1, "own", &error),
        STATUS_INVALID);
    ck_assert_int_eq(
        directory_add_member(directory, list, raw, ADDRESS_SIZE - 1, NULL, &error),
        STATUS_OK);
}
END_TEST

START_TEST(directory_member_without_domain_is_inside)
{
    uint32_t list = list_of("l@own", "");
    ck_assert_int_eq(directory_add_member(directory, list, "bob", 3, NULL, NULL),
                     STATUS_OK);
    seal();
    ck_assert_uint_eq(size_of(list), 1);
    ck_assert_uint_eq(directory_list(directory, list)->external, 0);
}
END_TEST

START_TEST(directory_depth_is_bounded)
{
    uint32_t first = 0;
    chain_of(DIRECTORY_DEPTH_MAX + 1);
    seal();
    ck_assert_uint_eq(size_of(first), 1);
    size_t count;
    (void)directory_nested(directory, first, &count);
    ck_assert_uint_eq(count, DIRECTORY_DEPTH_MAX);
}
END_TEST

START_TEST(directory_too_deep_is_an_error)
{
    chain_of(DIRECTORY_DEPTH_MAX + 2);
    ck_assert_int_eq(directory_seal(directory, &problems), STATUS_LIMIT);
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, "l0@own"));
    ck_assert_str_eq(problems.items[0].file, "/lists");
}
END_TEST

START_TEST(directory_very_deep_does_not_overflow)
{
    chain_of(100000);
    ck_assert_int_eq(directory_seal(directory, &problems), STATUS_LIMIT);
}
END_TEST

START_TEST(directory_too_many_lists_is_an_error)
{
    uint32_t list;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i <= DIRECTORY_LISTS_MAX && status == STATUS_OK; i++)
        status = directory_add_list(directory, "l@own", "f", LIST_OK, 0, &list);
    ck_assert_int_eq(status, STATUS_LIMIT);
    ck_assert_int_eq(directory_seal(directory, &problems), STATUS_LIMIT);
    ck_assert_uint_eq(problems.errors, 1);
}
END_TEST

START_TEST(directory_many_members)
{
    enum { MANY = 200000 };
    uint32_t list = list_of("all@own", "");
    uint32_t half = list_of("half@own", "");
    uint32_t top = list_of("top@own", "all@own half@own extra@own");
    char member[48];
    for (int i = MANY; i-- > 0;) {
        int length = snprintf(member, sizeof member, "User.%d@%s", i,
                              i % 4 == 0 ? "else.example" : "own");
        ck_assert_int_gt(length, 0);
        enum status status =
            directory_add_member(directory, list, member, (size_t)length, NULL, NULL);
        if (status == STATUS_OK && i % 2 == 0)
            status =
                directory_add_member(directory, half, member, (size_t)length, NULL, NULL);
        if (status != STATUS_OK)
            ck_abort_msg("member %d", i);
    }
    seal();
    ck_assert_uint_eq(size_of(list), MANY);
    ck_assert_uint_eq(size_of(half), MANY / 2);
    ck_assert_uint_eq(size_of(top), MANY + 1);
    ck_assert_uint_eq(directory_list(directory, list)->external, MANY / 4);
    ck_assert(is_member(top, "user.199999@own"));
    ck_assert(is_member(top, "user.77777+x@own"));
    ck_assert(!is_member(half, "user.77777@own"));
    ck_assert(!is_member(top, "user.200000@own"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("directory");
    TCase *test = tcase_create("directory");
    tcase_set_timeout(test, 60);
    tcase_add_checked_fixture(test, directory_begin, directory_end);
    tcase_add_test(test, directory_empty_knows_nobody);
    tcase_add_test(test, directory_list_is_its_members);
    tcase_add_test(test, directory_diamond_counts_once);
    tcase_add_test(test, directory_cycle_is_one_warning);
    tcase_add_test(test, directory_long_cycle_is_a_short_warning);
    tcase_add_test(test, directory_self_is_the_mailbox);
    tcase_add_test(test, directory_order_of_adding_does_not_matter);
    tcase_add_test(test, directory_tag_is_looked_up_whole_first);
    tcase_add_test(test, directory_answers_in_other_domains);
    tcase_add_test(test, directory_literal_is_the_largest_list);
    tcase_add_test(test, directory_two_lists_at_one_address_are_both);
    tcase_add_test(test, directory_list_and_redirect_at_one_address_are_both);
    tcase_add_test(test, directory_joined_list_takes_the_worse_state);
    tcase_add_test(test, directory_unknown_spreads_upwards);
    tcase_add_test(test, directory_doubted_domain_has_no_strangers);
    tcase_add_test(test, directory_opaque_counts_as_one_inside);
    tcase_add_loop_test(test, directory_takes_only_addresses, 0,
                        (int)(sizeof members / sizeof members[0]));
    tcase_add_test(test, directory_refuses_a_long_member);
    tcase_add_test(test, directory_member_without_domain_is_inside);
    tcase_add_test(test, directory_depth_is_bounded);
    tcase_add_test(test, directory_too_deep_is_an_error);
    tcase_add_test(test, directory_very_deep_does_not_overflow);
    tcase_add_test(test, directory_too_many_lists_is_an_error);
    tcase_add_test(test, directory_many_members);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
