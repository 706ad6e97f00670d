/* Who came and who went, told by a digest of who was there. */
#include "directory_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "policy/audience.h"
#include "run.h"

static struct digest_key key;

static void audience_begin(void)
{
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("a key", 5, &key);
    directory_begin();
    (void)list_of("a@own", "p@own q@own x@else");
    (void)list_of("ab@own", "a@own r@own");
    seal();
}

/* Persons from to until, without the latter. */
static struct audience range(int from, int until)
{
    char address[40];
    struct audience audience = {0};
    for (int i = from; i < until; i++) {
        (void)snprintf(address, sizeof address, "p%d@own", i);
        audience_add_person(&audience, &key, address);
    }
    ck_assert_int_eq(audience_settle(&audience), STATUS_OK);
    return audience;
}

START_TEST(audience_counts_each_person_once)
{
    struct text digest = {0};
    struct audience audience = {0};
    struct audience alone = {0};
    audience_add_list(&audience, &key, directory, find("ab@own").list);
    audience_add_person(&audience, &key, "q@own");
    audience_add_person(&audience, &key, "new@else");
    ck_assert_int_eq(audience_settle(&audience), STATUS_OK);
    ck_assert_uint_eq(audience.count, 5);
    audience_write(&audience, &key, &digest);
    ck_assert_uint_eq(audience_number(text_string(&digest)), 5);
    ck_assert(strstr(text_string(&digest), "own") == NULL);
    audience_add_person(&alone, &key, "new@else");
    ck_assert_int_eq(audience_settle(&alone), STATUS_OK);
    ck_assert_uint_eq(audience_without(&alone, &audience), 0);
    ck_assert_uint_eq(audience_without(&audience, &alone), 4);
    audience_clear(&audience);
    audience_clear(&alone);
    text_clear(&digest);
}
END_TEST

/* Then 0 to then, now from to now: told? */
static const struct {
    int then, from, now;
    bool told;
} changes[] = {
    {0, 0, 0, true},        {0, 0, 5, true},
    {1, 0, 1, true},        {1, 1, 2, true},
    {5, 0, 3400, true},     {5, 5, 3400, true},
    {400, 3, 412, true},    {400, 0, 400, true},
    {3400, 10, 3420, true}, {100000, 20, 100020, true},
    {3400, 0, 400, false},  {400, 400, 800, false},
};

START_TEST(audience_tells_who_came_and_went)
{
    int then_count = changes[_i].then, from = changes[_i].from, until = changes[_i].now;
    struct text digest = {0};
    struct audience before = {0};
    struct audience then = range(0, then_count);
    struct audience now = range(from, until);
    audience_write(&then, &key, &digest);
    ck_assert_uint_lt(digest.length, 6000);
    ck_assert(audience_is(&then, &key, text_string(&digest)));
    ck_assert_int_eq(audience_is(&now, &key, text_string(&digest)),
                     from == 0 && then_count == until);
    enum status status = audience_recall(text_string(&digest), &key, &now, &before);
    ck_assert_int_eq(status, changes[_i].told ? STATUS_OK : STATUS_NOT_FOUND);
    if (status == STATUS_OK) {
        int came = until - (from > then_count ? from : then_count);
        int went = from < then_count ? from : then_count;
        ck_assert_uint_eq(audience_without(&now, &before), (size_t)(came > 0 ? came : 0));
        ck_assert_uint_eq(audience_without(&before, &now), (size_t)went);
    }
    audience_clear(&then);
    audience_clear(&now);
    audience_clear(&before);
    text_clear(&digest);
}
END_TEST

START_TEST(audience_survives_damage)
{
    struct text digest = {0};
    struct audience out = {0};
    struct audience then = range(0, 50);
    struct audience now = range(1, 52);
    audience_write(&then, &key, &digest);
    for (size_t length = 0; length < digest.length; length++) {
        char *cut = strndup(digest.data, length);
        ck_assert_int_eq(audience_recall(cut, &key, &now, &out), STATUS_NOT_FOUND);
        free(cut);
    }
    ck_assert_int_eq(
        audience_recall("9 00000000000000000000000000000000 99999 ", &key, &now, &out),
        STATUS_NOT_FOUND);
    digest.data[60] = digest.data[60] == '1' ? '2' : '1';
    ck_assert_int_eq(audience_recall(digest.data, &key, &now, &out), STATUS_NOT_FOUND);
    audience_clear(&then);
    audience_clear(&now);
    text_clear(&digest);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audience");
    TCase *tcase = tcase_create("audience");
    tcase_add_checked_fixture(tcase, audience_begin, directory_end);
    tcase_add_test(tcase, audience_counts_each_person_once);
    tcase_add_loop_test(tcase, audience_tells_who_came_and_went, 0,
                        (int)(sizeof changes / sizeof changes[0]));
    tcase_add_test(tcase, audience_survives_damage);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
