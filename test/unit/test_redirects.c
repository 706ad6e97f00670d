/* Addresses that stand for others: aliases of a person, renamed domains, catch-alls. */
#include "directory_fixture.h"
#include "run.h"

START_TEST(directory_redirect_is_followed)
{
    uint32_t list = list_of("l@own", "bob@own");
    redirect("bob.smith@own", "bob@own");
    redirect("b@own", "bob.smith@own");
    redirect("news@own", "l@own");
    redirect("gone@own", "far@else");
    seal();
    expect_person("bob.smith@own", "bob@own");
    expect_person("b+tag@own", "bob@own");
    expect_list("news+x@own", list);
    expect_person("gone@own", "far@else");
    ck_assert(is_member(list, "bob.smith@own"));
    ck_assert(is_member(list, "b+x@own"));
    ck_assert(!is_member(list, "gone@own"));
    ck_assert_uint_eq(size_of(list), 1);
}
END_TEST

START_TEST(directory_redirect_cycle_is_a_person)
{
    redirect("a@own", "b@own");
    redirect("b@own", "a@own");
    redirect("into@own", "a@own");
    redirect("me@own", "me@own");
    redirect("t@own", "t+box@own");
    redirect("@x", "@y");
    redirect("@y", "@x");
    uint32_t list = list_of("l@own", "a@own b@own into@own me@own t@own u@x u@y");
    seal();
    expect_person("a@own", "a@own");
    expect_person("b+x@own", "b@own");
    expect_person("into@own", "into@own");
    expect_person("me@own", "me@own");
    expect_person("t@own", "t@own");
    expect_person("u@x", "u@x");
    ck_assert_uint_eq(size_of(list), 7);
}
END_TEST

/* An entry that names itself ends the walk there, however one came to it. */
START_TEST(directory_redirect_ends_at_itself)
{
    redirect("@pupils", "@own");
    redirect("henry@own", "henry@own");
    redirect("@own", "postmaster@mail");
    redirect("h@too", "henry@pupils");
    redirect("@all", "henry@own");
    uint32_t list = list_of("l@too", "henry@pupils henry@own h@too x@all");
    seal();
    expect_person("henry@pupils", "henry@own");
    expect_person("henry@own", "henry@own");
    expect_person("henry+tag@pupils", "henry@own");
    expect_person("h+tag@too", "henry@own");
    expect_person("x@all", "henry@own");
    expect_person("other@pupils", "postmaster@mail");
    ck_assert_uint_eq(size_of(list), 1);
    ck_assert(is_member(list, "henry@own"));
    ck_assert(is_member(list, "henry@pupils"));
    ck_assert(!is_member(list, "other@pupils"));
}
END_TEST

/* propagate_unmatched_extensions: what was behind the '+' is tried at the target, too. */
START_TEST(directory_redirect_takes_the_tag_along)
{
    redirect("b@own", "d@else");
    redirect("x@own", "b@own");
    redirect("y@else", "y@else");
    redirect("y+t@else", "gone@far");
    uint32_t list = list_of("d+t@else", "one@far two@far");
    seal();
    expect_list("b+t@own", list);
    expect_list("x+t@own", list);
    expect_person("b@own", "d@else");
    expect_person("b+other@own", "d@else");
    expect_person("y+t@else", "gone@far");
}
END_TEST

/* local(8) delivers the members of an alias itself: a catch-all of virtual(5), or what it
 * makes of a user, is only for mail that comes in. */
START_TEST(directory_members_of_aliases_stay_themselves)
{
    redirect("@own", "boss@else");
    redirect("staff@own", "staff@own");
    redirect("ann@too", "office@too");
    redirect("bob@too", "office@too");
    uint32_t rewritten = list_of("v@too", "cy@own dee@own ann@too bob@too");
    uint32_t team = list_of("team@too", "t1@else t2@else");
    directory_set_local(directory, true);
    uint32_t staff =
        list_of("staff@own", "ann@own bob@own ann@too bob@too head@own team@too");
    redirect("head@own", "cy@own");
    directory_set_local(directory, false);
    redirect("team@own", "team@own");
    uint32_t nested = list_of("all@too", "staff@own far@else");
    seal();
    expect_list("staff@own", staff);
    ck_assert_uint_eq(size_of(staff), 7);
    ck_assert_uint_eq(size_of(nested), 8);
    ck_assert_uint_eq(size_of(rewritten), 2);
    ck_assert_uint_eq(size_of(team), 2);
    ck_assert(is_member(staff, "ann@own"));
    ck_assert(is_member(staff, "ann@too"));
    ck_assert(is_member(staff, "cy@own"));
    ck_assert(!is_member(staff, "dee@own"));
    ck_assert(is_member(rewritten, "ann@too"));
    expect_person("ann@own", "boss@else");
    expect_person("head@own", "cy@own");
}
END_TEST

START_TEST(directory_redirects_end_somewhere)
{
    char from[32];
    char to[32];
    for (int i = 0; i < 60; i++) {
        (void)snprintf(from, sizeof from, "r%d@own", i);
        (void)snprintf(to, sizeof to, "r%d@own", i + 1);
        redirect(from, to);
    }
    uint32_t list = list_of("r60@own", "a@own");
    seal();
    expect_list("r10@own", list);
    expect_unknown("r9@own", DIRECTORY_NONE);
}
END_TEST

START_TEST(directory_domain_is_renamed)
{
    uint32_t list = list_of("l@own", "u@own");
    redirect("@old", "@own");
    redirect("@older", "@old");
    redirect("special@old", "other@else");
    seal();
    expect_list("l@old", list);
    expect_list("l+tag@older", list);
    expect_person("u+tag@older", "u@own");
    expect_person("special@old", "other@else");
    expect_person("special@older", "other@else");
    ck_assert(is_member(list, "u@old"));
}
END_TEST

START_TEST(directory_rename_may_not_fit)
{
    char text[ADDRESS_SIZE];
    redirect("@x", "@a-longer-domain.example");
    seal();
    memset(text, 'a', sizeof text);
    memcpy(text + sizeof text - 3, "@x", 3);
    expect_person(text, text);
}
END_TEST

START_TEST(directory_catch_all_comes_last)
{
    uint32_t all = list_of("@own", "post@else");
    uint32_t list = list_of("l@own", "stranger@own known@own");
    redirect("known@own", "known@own");
    redirect("@too", "boss@else");
    seal();
    expect_list("anybody@own", all);
    expect_list("l@own", list);
    expect_list("l+tag@own", list);
    expect_person("known@own", "known@own");
    expect_person("anybody@too", "boss@else");
    expect_nested(list, 1, &all);
    ck_assert_uint_eq(size_of(list), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redirects");
    TCase *test = tcase_create("redirects");
    tcase_add_checked_fixture(test, directory_begin, directory_end);
    tcase_add_test(test, directory_redirect_is_followed);
    tcase_add_test(test, directory_redirect_cycle_is_a_person);
    tcase_add_test(test, directory_redirect_ends_at_itself);
    tcase_add_test(test, directory_redirect_takes_the_tag_along);
    tcase_add_test(test, directory_members_of_aliases_stay_themselves);
    tcase_add_test(test, directory_redirects_end_somewhere);
    tcase_add_test(test, directory_domain_is_renamed);
    tcase_add_test(test, directory_rename_may_not_fit);
    tcase_add_test(test, directory_catch_all_comes_last);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
