/* Sets of clients: the vectors, bounds, and sets that are full. */
#include <check.h>
#include <stdlib.h>

#include "../support/vectors.h"
#include "policy/client_set.h"
#include "run.h"

static const int64_t now_ms = INT64_C(1787000000123);

struct user {
    struct rate limit;
    struct client_set set;
    struct client_entry entries[CLIENT_SET_MAX];
};

static void begin(void *context, const char *name, const struct rate *limit)
{
    struct user *user = context;
    (void)name;
    user->limit = *limit;
    user->set = (struct client_set){user->entries, 0};
}

static void step(void *context, const struct clients_step *step, const char *where)
{
    struct user *user = context;
    struct client_set *set = &user->set;
    const int64_t period_ms = user->limit.period_ms;
    int64_t left = client_set_left(set, &user->limit, step->client, step->at_ms);
    ck_assert_msg(left == step->left, "%s: left %" PRId64, where, left);
    client_set_roll(set, period_ms, step->at_ms);
    ck_assert_int_eq(client_set_left(set, &user->limit, step->client, step->at_ms), left);
    ck_assert(!client_set_lies_ahead(set, step->at_ms));
    if (step->client > 0 && left >= 1)
        client_set_take(set, (size_t)user->limit.burst, step->client, step->at_ms);
    int64_t lasts_ms = client_set_lasts_ms(set, period_ms, step->at_ms);
    ck_assert_msg(lasts_ms == step->keep_ms, "%s: lasts %" PRId64, where, lasts_ms);
    vectors_same_clients(set, step->entries, step->count, where);
}

START_TEST(client_set_agrees_with_vectors)
{
    struct user user;
    vectors_run_clients(&(struct clients_user){begin, step, &user});
}
END_TEST

START_TEST(client_limit_has_bounds)
{
    const struct {
        struct rate limit;
        bool valid;
    } cases[] = {
        {{1, 1000, 1}, true},
        {{256, RATE_PERIOD_MAX_MS, 256}, true},
        {{257, 1000, 257}, false},
        {{0, 1000, 0}, false},
        {{2, 1000, 3}, false},
        {{1, 999, 1}, false},
        {{1, RATE_PERIOD_MAX_MS + 1, 1}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(client_limit_is_valid(&cases[i].limit) == cases[i].valid,
                      "case %zu", i);
}
END_TEST

START_TEST(client_set_of_256_takes_256)
{
    const struct rate limit = {256, 86400000, 256};
    struct client_entry entries[CLIENT_SET_MAX];
    struct client_set set = {entries, 0};
    for (int64_t client = 1; client <= 300; client++) {
        int64_t left = client_set_left(&set, &limit, client, now_ms + client);
        ck_assert_int_eq(left, client <= 256 ? 257 - client : 0);
        if (left > 0)
            client_set_take(&set, CLIENT_SET_MAX, client, now_ms + client);
    }
    for (int64_t client = 256; client >= 1; client--)
        ck_assert_int_eq(client_set_left(&set, &limit, client, now_ms + 300), 1);
    client_set_roll(&set, limit.period_ms, now_ms + 200 + limit.period_ms);
    ck_assert_uint_eq(set.count, 56);
    ck_assert_int_eq(set.entries[0].client, 201);
}
END_TEST

/* A share of the limit takes fewer than the set remembers: those that it remembers still
 * fit, and no other. */
START_TEST(client_set_of_a_share_knows_more)
{
    const struct rate share = {2, 1000, 2};
    struct client_entry entries[4];
    struct client_set set = {entries, 0};
    for (int64_t client = 1; client <= 5; client++)
        client_set_take(&set, 4, client, now_ms);
    ck_assert_uint_eq(set.count, 4);
    ck_assert_int_eq(client_set_left(&set, &share, 1, now_ms), 0);
    ck_assert_int_eq(client_set_left(&set, &share, 2, now_ms), 1);
    ck_assert_int_eq(client_set_left(&set, &share, 5, now_ms), 1);
    ck_assert_int_eq(client_set_left(&set, &share, 0, now_ms), 0);
    ck_assert_int_eq(client_set_left(&set, &share, 9, now_ms + 1000), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_set");
    TCase *tcase = tcase_create("client_set");
    tcase_add_test(tcase, client_set_agrees_with_vectors);
    tcase_add_test(tcase, client_limit_has_bounds);
    tcase_add_test(tcase, client_set_of_256_takes_256);
    tcase_add_test(tcase, client_set_of_a_share_knows_more);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
