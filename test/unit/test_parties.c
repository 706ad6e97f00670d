/* Places that parties take while somebody counts anew. */
#include <check.h>
#include <stdlib.h>

#include "quarantine/parties.h"
#include "run.h"

static struct parties *parties;
static struct party ann;

static void setup(void)
{
    struct digest_key key;
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    parties = parties_new();
    ck_assert_ptr_nonnull(parties);
    party_make(&key, "login:ann@own.example", "192.0.2.1", true, &ann);
}

static void teardown(void)
{
    parties_free(parties);
}

static void expect_room(bool room)
{
    bool taken = parties_take(parties, &ann, 2);
    ck_assert_int_eq(taken, room);
    if (taken)
        parties_give(parties, &ann);
}

START_TEST(parties_take_no_more_than_there_is)
{
    ck_assert(parties_take(parties, &ann, 2));
    ck_assert(parties_take(parties, &ann, 2));
    ck_assert(!parties_take(parties, &ann, 2));
    parties_give(parties, &ann);
    expect_room(true);
}
END_TEST

/* A count that begins between taking a place and the record doesn't find the record. */
START_TEST(parties_count_what_is_on_its_way)
{
    ck_assert(parties_take(parties, &ann, 2));
    ck_assert(parties_take(parties, &ann, 2));
    parties_begin(parties);
    parties_settle(parties, &ann); /* recorded after the place where the count is */
    parties_end(parties);
    expect_room(false);
    parties_settle(parties, &ann);
    parties_begin(parties);
    parties_add(parties, &ann, false);
    parties_end(parties);
    expect_room(true);
}
END_TEST

START_TEST(parties_forget_what_is_given_back)
{
    ck_assert(parties_take(parties, &ann, 2));
    ck_assert(parties_take(parties, &ann, 2));
    parties_begin(parties);
    parties_give(parties, &ann);
    parties_end(parties);
    expect_room(true);
    parties_settle(parties, &ann);
    parties_begin(parties);
    parties_end(parties);
    ck_assert(parties_take(parties, &ann, 1));
    parties_give(parties, &ann);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parties");
    TCase *cases = tcase_create("parties");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, parties_take_no_more_than_there_is);
    tcase_add_test(cases, parties_count_what_is_on_its_way);
    tcase_add_test(cases, parties_forget_what_is_given_back);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
