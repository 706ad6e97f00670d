/* The table of buckets in memory: the vectors, all or nothing, and what a flood does. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "../support/vectors.h"
#include "store/memory.h"

static const int64_t now_ms = INT64_C(1787000000123);
static struct memory *memory;

static void setup(void)
{
    memory = memory_new();
    ck_assert_ptr_nonnull(memory);
}

static void teardown(void)
{
    memory_free(memory);
}

/* Ids of one set differ in number only. */
static struct memory_id make_id(uint32_t set, uint32_t number)
{
    struct memory_id id = {0};
    memcpy(id.bytes, &set, sizeof set);
    memcpy(id.bytes + sizeof set, &number, sizeof number);
    return id;
}

static struct draw make_draw(uint32_t set, uint32_t number, int64_t cost, int64_t burst)
{
    return (struct draw){.id = make_id(set, number),
                         .rate = {burst, INT64_C(86400000), burst},
                         .cost = cost};
}

/* What one bucket has, without charging it. */
static int64_t left_in(uint32_t set, uint32_t number, int64_t burst)
{
    struct draw draw = make_draw(set, number, 0, burst);
    struct outcome outcome;
    ck_assert_int_eq(memory_charge(memory, &draw, 1, false, now_ms, &outcome), STATUS_OK);
    return outcome.left;
}

static bool take(uint32_t set, uint32_t number, int64_t cost, int64_t burst)
{
    struct draw draw = make_draw(set, number, cost, burst);
    struct outcome outcome = {0};
    ck_assert_int_eq(memory_charge(memory, &draw, 1, true, now_ms, &outcome), STATUS_OK);
    ck_assert_int_eq(outcome.burst, burst);
    return outcome.fits;
}

struct user {
    struct rate rate;
    uint32_t number;
};

static void begin(void *context, const char *name, const struct rate *rate)
{
    struct user *user = context;
    (void)name;
    user->rate = *rate;
    user->number++;
}

static void step(void *context, const struct vector_step *step, const char *where)
{
    const struct user *user = context;
    struct draw draw = {
        .id = make_id(7, user->number), .rate = user->rate, .cost = step->cost};
    struct outcome outcome;
    ck_assert_int_eq(memory_charge(memory, &draw, 1, true, step->at_ms, &outcome),
                     STATUS_OK);
    ck_assert_msg(outcome.left == step->left, "%s: left %" PRId64, where, outcome.left);
    ck_assert_msg(outcome.fits == (step->cost <= step->left), "%s: fits", where);
}

START_TEST(memory_agrees_with_vectors)
{
    struct user user = {.number = 0};
    vectors_run(&(struct vector_user){begin, step, &user});
}
END_TEST

START_TEST(memory_charges_all_or_nothing)
{
    struct outcome outcomes[2];
    ck_assert(take(1, 1, 5, 5));
    for (size_t empty = 0; empty < 2; empty++) {
        struct draw draws[2];
        draws[empty] = make_draw(1, 1, 1, 5);
        draws[1 - empty] = make_draw(2, 2, 3, 5);
        ck_assert_int_eq(memory_charge(memory, draws, 2, true, now_ms, outcomes),
                         STATUS_OK);
        ck_assert(!outcomes[empty].fits);
        ck_assert(outcomes[1 - empty].fits);
        ck_assert_int_eq(outcomes[1 - empty].left, 5);
    }
    ck_assert_int_eq(left_in(2, 2, 5), 5);
}
END_TEST

START_TEST(memory_monitor_never_stops)
{
    struct outcome outcomes[3];
    struct draw draws[3] = {make_draw(1, 1, 4, 5), make_draw(2, 2, 9, 5),
                            make_draw(3, 3, 2, 5)};
    draws[1].monitor = draws[2].monitor = true;
    ck_assert_int_eq(memory_charge(memory, draws, 3, true, now_ms, outcomes), STATUS_OK);
    ck_assert(outcomes[0].fits && !outcomes[1].fits && outcomes[2].fits);
    ck_assert_int_eq(left_in(1, 1, 5), 1);
    ck_assert_int_eq(left_in(2, 2, 5), 5);
    ck_assert_int_eq(left_in(3, 3, 5), 3);
    ck_assert_int_eq(memory_charge(memory, draws, 3, true, now_ms, outcomes), STATUS_OK);
    ck_assert_int_eq(left_in(3, 3, 5), 3); /* the first was short: monitors neither */
}
END_TEST

START_TEST(memory_look_takes_nothing)
{
    struct draw draw = make_draw(1, 1, 5, 5);
    struct outcome outcome;
    ck_assert_int_eq(memory_charge(memory, &draw, 1, false, now_ms, &outcome), STATUS_OK);
    ck_assert(outcome.fits);
    ck_assert_int_eq(left_in(1, 1, 5), 5);
    ck_assert_uint_eq(memory_changes(memory), 0);
}
END_TEST

/* After a refused charge an hour earlier, the hour need not pass before it refills. */
START_TEST(memory_refusal_keeps_new_time)
{
    const int64_t hour_ms = 3600000;
    struct draw draw = {.id = make_id(1, 1), .rate = {60, hour_ms, 60}, .cost = 60};
    struct outcome outcome;
    ck_assert_int_eq(memory_charge(memory, &draw, 1, true, now_ms, &outcome), STATUS_OK);
    draw.cost = 1;
    ck_assert_int_eq(memory_charge(memory, &draw, 1, true, now_ms - hour_ms, &outcome),
                     STATUS_OK);
    ck_assert(!outcome.fits);
    ck_assert_int_eq(
        memory_charge(memory, &draw, 1, true, now_ms - hour_ms + 60000, &outcome),
        STATUS_OK);
    ck_assert(outcome.fits);
}
END_TEST

START_TEST(memory_full_set_forgets_nearest_to_full)
{
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        ck_assert(take(9, i, i == 5 ? 1 : 50 + i, 100));
    ck_assert(take(9, 100, 1, 1));
    ck_assert_int_eq(left_in(9, 5, 100), 100);
    ck_assert_int_eq(left_in(9, 100, 1), 0);
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        if (i != 5)
            ck_assert_int_eq(left_in(9, i, 100), 50 - i);
}
END_TEST

/* The part that is missing counts, not the tokens: 1 of 1 is more than 400 of 1000. */
START_TEST(memory_forgets_by_part_missing)
{
    ck_assert(take(9, 0, 1, 1));
    for (uint32_t i = 1; i < MEMORY_WAYS; i++)
        ck_assert(take(9, i, 400, 1000));
    for (uint32_t i = 100; i < 130; i++)
        ck_assert(take(9, i, 300, 1000));
    ck_assert_int_eq(left_in(9, 0, 1), 0);
}
END_TEST

/* Eight new buckets in one set push out all others, but never each other; nine can't be
 * had, and then nothing at all is taken. */
START_TEST(memory_call_never_forgets_its_own)
{
    struct draw draws[MEMORY_WAYS + 2];
    struct outcome outcomes[MEMORY_WAYS + 2];
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        ck_assert(take(9, 100 + i, 90, 100));
    for (uint32_t i = 0; i < MEMORY_WAYS + 1; i++)
        draws[i] = make_draw(9, i, 1, 100);
    draws[MEMORY_WAYS + 1] = make_draw(10, 0, 1, 100);
    ck_assert_int_eq(
        memory_charge(memory, draws, MEMORY_WAYS + 2, true, now_ms, outcomes),
        STATUS_UNAVAILABLE);
    ck_assert_int_eq(left_in(10, 0, 100), 100);
    for (uint32_t i = 0; i < MEMORY_WAYS; i++) {
        ck_assert_int_eq(left_in(9, 100 + i, 100), 10);
        ck_assert_int_eq(left_in(9, i, 100), 100);
    }
    ck_assert_int_eq(memory_charge(memory, draws, MEMORY_WAYS, true, now_ms, outcomes),
                     STATUS_OK);
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        ck_assert_int_eq(left_in(9, i, 100), 99);
}
END_TEST

START_TEST(memory_full_bucket_is_a_free_place)
{
    struct draw draw = make_draw(9, 50, 3, 10);
    struct outcome outcome;
    ck_assert(take(9, 0, 1, 100)); /* full again after 864 s */
    for (uint32_t i = 1; i < MEMORY_WAYS; i++)
        ck_assert(take(9, i, 10, 10));
    ck_assert_int_eq(memory_charge(memory, &draw, 1, true, now_ms + 864000, &outcome),
                     STATUS_OK);
    for (uint32_t i = 1; i < MEMORY_WAYS; i++)
        ck_assert_int_eq(left_in(9, i, 10), 0);
}
END_TEST

/* A million senders with a message each don't give back what others have spent. */
START_TEST(memory_flood_keeps_the_spent)
{
    enum { SPENT = 100, SENDERS = 1000000, STRIDE = 40503 };
    bool fits = true;
    for (uint32_t i = 0; i < SPENT; i++)
        ck_assert(take(i * STRIDE, i, 10, 10));
    for (uint32_t i = 0; i < SENDERS && fits; i++) {
        struct draw draw = make_draw(i * UINT32_C(2654435761), SPENT + i, 1, 2000);
        struct outcome outcome = {0};
        fits = memory_charge(memory, &draw, 1, true, now_ms, &outcome) == STATUS_OK &&
               outcome.fits;
    }
    ck_assert(fits);
    for (uint32_t i = 0; i < SPENT; i++)
        ck_assert_int_eq(left_in(i * STRIDE, i, 10), 0);
}
END_TEST

static void *take_from_one(void *context)
{
    int *taken = context;
    struct draw draw = make_draw(3, 3, 1, 1000);
    struct outcome outcome;
    for (int i = 0; i < 200; i++)
        if (memory_charge(memory, &draw, 1, true, now_ms, &outcome) == STATUS_OK &&
            outcome.fits)
            ++*taken;
    return NULL;
}

START_TEST(memory_burst_is_exact_at_any_concurrency)
{
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    int taken[THREADS] = {0};
    int sum = 0;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_from_one, &taken[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        sum += taken[i];
    }
    ck_assert_int_eq(sum, 1000);
}
END_TEST

START_TEST(memory_exports_what_it_imports)
{
    enum { COUNT = 100 };
    struct memory_record records[COUNT];
    size_t set = 0;
    size_t count = 0;
    for (uint32_t i = 0; i < 50; i++)
        ck_assert(take(i * 600, i, 1 + i, 60));
    while (set < MEMORY_SETS)
        count += memory_export(memory, now_ms, &set, records + count, MEMORY_WAYS * 2);
    ck_assert_uint_eq(count, 50);
    memory_free(memory);
    setup();
    for (size_t i = 0; i < count; i++)
        memory_import(memory, &records[i], now_ms);
    for (uint32_t i = 0; i < 50; i++)
        ck_assert_int_eq(left_in(i * 600, i, 60), 59 - i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("memory");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, memory_agrees_with_vectors);
    tcase_add_test(tcase, memory_charges_all_or_nothing);
    tcase_add_test(tcase, memory_monitor_never_stops);
    tcase_add_test(tcase, memory_look_takes_nothing);
    tcase_add_test(tcase, memory_refusal_keeps_new_time);
    tcase_add_test(tcase, memory_full_set_forgets_nearest_to_full);
    tcase_add_test(tcase, memory_forgets_by_part_missing);
    tcase_add_test(tcase, memory_call_never_forgets_its_own);
    tcase_add_test(tcase, memory_full_bucket_is_a_free_place);
    tcase_add_test(tcase, memory_flood_keeps_the_spent);
    tcase_add_test(tcase, memory_burst_is_exact_at_any_concurrency);
    tcase_add_test(tcase, memory_exports_what_it_imports);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
