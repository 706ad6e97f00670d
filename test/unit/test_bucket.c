/* Token buckets: the vectors, a day of small steps against exact arithmetic, bounds. */
#include <check.h>
#include <stdlib.h>

#include "../support/vectors.h"
#include "policy/bucket.h"
#include "run.h"

struct user {
    struct rate rate;
    struct bucket bucket;
    bool fresh;
};

static void begin(void *context, const char *name, const struct rate *rate)
{
    struct user *user = context;
    (void)name;
    *user = (struct user){.rate = *rate, .fresh = true};
}

static void step(void *context, const struct vector_step *step, const char *where)
{
    struct user *user = context;
    if (user->fresh)
        user->bucket = bucket_full(&user->rate, step->at_ms);
    user->fresh = false;
    bucket_refill(&user->bucket, &user->rate, step->at_ms);
    ck_assert_msg(user->bucket.level == step->left, "%s: left", where);
    ck_assert_msg(bucket_take(&user->bucket, step->cost) == (step->cost <= step->left),
                  "%s: fits", where);
    ck_assert_msg(user->bucket.level == step->level, "%s: level", where);
    ck_assert_msg(user->bucket.rest == step->rest, "%s: rest", where);
    ck_assert_msg(user->bucket.stamp_ms == step->at_ms, "%s: stamp", where);
}

START_TEST(bucket_agrees_with_vectors)
{
    struct user user;
    vectors_run(&(struct vector_user){begin, step, &user});
}
END_TEST

START_TEST(bucket_empty_refuses)
{
    const struct rate rate = {10, 1000, 3};
    struct bucket bucket = bucket_full(&rate, 5);
    ck_assert(bucket_take(&bucket, 3));
    ck_assert(!bucket_take(&bucket, 1));
    ck_assert(bucket_take(&bucket, 0));
    ck_assert_int_eq(bucket.level, 0);
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* However the day is cut into steps, what was taken is never more than the burst and what
 * the time has refilled; and it is exactly that when the bucket was never full. */
static void run_a_day(const struct rate *rate, int64_t max_step_ms)
{
    const int64_t day_ms = INT64_C(86400000);
    const int64_t start_ms = INT64_C(1787000000123);
    uint64_t random = (uint64_t)max_step_ms;
    struct bucket bucket = bucket_full(rate, start_ms);
    int64_t taken = rate->burst;
    int64_t now_ms = 0;
    bool exact = bucket_take(&bucket, rate->burst);
    while (now_ms < day_ms && exact) { /* an assertion each would take minutes */
        now_ms += (int64_t)(next_random(&random) % (uint64_t)max_step_ms);
        bucket_refill(&bucket, rate, start_ms + now_ms);
        int64_t cost = bucket.level;
        exact = cost >= 0 && cost < rate->burst && bucket.rest < rate->period_ms &&
                bucket_take(&bucket, cost);
        taken += cost;
        int64_t parts = (taken - rate->burst) * rate->period_ms + bucket.rest;
        exact = exact && parts == now_ms * rate->tokens;
    }
    ck_assert_msg(exact, "%" PRId64 " per %" PRId64 ": at %" PRId64, rate->tokens,
                  rate->period_ms, now_ms);
}

START_TEST(bucket_day_of_steps_is_exact)
{
    run_a_day(&(struct rate){1000, 3600000, 2000}, 50);
    run_a_day(&(struct rate){997, 86400001, 4999}, 1000);
    run_a_day(&(struct rate){1000000000, 9007199, 1000000000}, 977);
    run_a_day(&(struct rate){(RATE_PRODUCT_MAX - 1) / RATE_PERIOD_MAX_MS,
                             RATE_PERIOD_MAX_MS, 1000000},
              333);
}
END_TEST

START_TEST(bucket_rate_bounds)
{
    const struct {
        struct rate rate;
        bool valid;
    } cases[] = {
        {{1, 1000, 1}, true},
        {{0, 1000, 1}, false},
        {{1, 999, 1}, false},
        {{1, 1000, 0}, false},
        {{-1, 1000, 1}, false},
        {{RATE_TOKENS_MAX, 1000, RATE_TOKENS_MAX}, true},
        {{RATE_TOKENS_MAX + 1, 1000, 1}, false},
        {{1, 1000, RATE_TOKENS_MAX + 1}, false},
        {{1, RATE_PERIOD_MAX_MS, 1}, true},
        {{1, RATE_PERIOD_MAX_MS + 1, 1}, false},
        {{1000000000, 9007199, 1}, true},
        {{1000000000, 9007200, 1}, false},
        {{INT64_MAX, INT64_MAX, INT64_MAX}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(rate_is_valid(&cases[i].rate) == cases[i].valid, "case %zu", i);
}
END_TEST

/* The extremes of both clocks and of a level left by a larger burst. */
START_TEST(bucket_survives_extremes)
{
    const struct rate slow = {1, RATE_PERIOD_MAX_MS, RATE_TOKENS_MAX};
    struct bucket bucket = {.level = 0, .rest = 0, .stamp_ms = 0};
    bucket_refill(&bucket, &slow, INT64_MAX);
    ck_assert_int_eq(bucket.level, INT64_MAX / RATE_PERIOD_MAX_MS);

    const struct rate fast = {RATE_TOKENS_MAX, 1000, 7};
    bucket = (struct bucket){.level = 0, .rest = 999, .stamp_ms = 0};
    bucket_refill(&bucket, &fast, INT64_MAX);
    ck_assert_int_eq(bucket.level, 7);
    ck_assert_int_eq(bucket.rest, 0);
    bucket = (struct bucket){.level = 9, .rest = 1, .stamp_ms = 50};
    bucket_refill(&bucket, &fast, 50);
    ck_assert_int_eq(bucket.level, 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bucket");
    TCase *tcase = tcase_create("bucket");
    tcase_add_test(tcase, bucket_agrees_with_vectors);
    tcase_add_test(tcase, bucket_empty_refuses);
    tcase_add_test(tcase, bucket_day_of_steps_is_exact);
    tcase_add_test(tcase, bucket_rate_bounds);
    tcase_add_test(tcase, bucket_survives_extremes);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
