/* What is due of a slow release, and when. */
#include "ledger_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "control/pace.h"
#include "run.h"

static const int64_t start_ms = INT64_C(1000000000000);

static void start(int64_t count, int64_t period_ms)
{
    const struct pace_start_args args = {.incident = "i",
                                         .host = "relay1",
                                         .rate = {count, period_ms},
                                         .by = "ann",
                                         .purpose = "",
                                         .messages = 500,
                                         .now_ms = start_ms};
    ck_assert_int_eq(pace_start(store, &args, either_soon()), STATUS_OK);
}

static const struct pace_view view = {.host = "relay1"};

static size_t claim(int64_t after_ms, size_t most)
{
    size_t due = 99;
    ck_assert_int_eq(
        pace_claim(store, "i", &view, most, start_ms + after_ms, either_soon(), &due),
        STATUS_OK);
    return due;
}

START_TEST(pace_lets_so_many_go)
{
    size_t total = 0;
    start(60, 60000);
    ck_assert_uint_eq(claim(0, 100), 1);
    ck_assert_uint_eq(claim(999, 100), 0);
    for (int64_t ms = 1000; ms <= 60000; ms += 130)
        total += claim(ms, 100);
    ck_assert_uint_eq(total, 59);
    start(7, 1000);
    total = 0;
    for (int64_t ms = 0; ms < 10000; ms += 70)
        total += claim(ms, 100);
    ck_assert_uint_ge(total, 68);
    ck_assert_uint_le(total, 71);
    start(1, 3600000);
    ck_assert_uint_eq(claim(0, 100), 1);
    ck_assert_uint_eq(claim(3599999, 100), 0);
    ck_assert_uint_eq(claim(3600000, 100), 1);
}
END_TEST

START_TEST(pace_makes_up_for_nothing)
{
    start(60, 60000);
    ck_assert_uint_eq(claim(0, 100), 1);
    ck_assert_uint_eq(claim(3600000, 100), 2);
    ck_assert_uint_eq(claim(3600100, 100), 0);
    ck_assert_uint_eq(claim(-3600000, 100), 1); /* the clock went back */
    start(1000, 1000);
    ck_assert_uint_eq(claim(1000, 100), 100);
    ck_assert_uint_eq(claim(1000, 100), 0);
}
END_TEST

START_TEST(pace_stops)
{
    json_t *pace = NULL;
    size_t due = 99;
    start(100, 1000);
    ck_assert_int_eq(pace_fail(store, "i", "because", either_soon()), STATUS_OK);
    ck_assert_uint_eq(claim(5000, 100), 0);
    ck_assert_int_eq(pace_find(store, "i", either_soon(), &pace), STATUS_OK);
    json_t *shown = pace_show(pace);
    ck_assert_str_eq(record_text(shown, "stopped"), "because");
    ck_assert_str_eq(record_text(shown, "pace"), "100/s");
    json_decref(shown);
    json_decref(pace);
    ck_assert_int_eq(pace_stop(store, "i", either_soon()), STATUS_OK);
    ck_assert_int_eq(pace_stop(store, "i", either_soon()), STATUS_NOT_FOUND);
    ck_assert_int_eq(pace_fail(store, "i", "because", either_soon()), STATUS_NOT_FOUND);
    ck_assert_int_eq(pace_claim(store, "i", &view, 9, start_ms, either_soon(), &due),
                     STATUS_OK);
    ck_assert_uint_eq(due, 0);
    ck_assert_int_eq(pace_list(store, either_soon(), &pace), STATUS_OK);
    ck_assert_uint_eq(json_array_size(pace), 0);
    json_decref(pace);
}
END_TEST

static int64_t last_at(void)
{
    json_t *pace = NULL;
    ck_assert_int_eq(pace_find(store, "i", either_soon(), &pace), STATUS_OK);
    int64_t at = record_number(pace, "last_at");
    json_decref(pace);
    return at;
}

/* Two relays, of which one looks a little later; its clock is wrong. */
START_TEST(pace_needs_no_clocks_that_agree)
{
    static const int64_t wrong_ms[] = {0, 5000, -5000, 3600000, -3600000};
    static const int64_t counts[] = {60, 1200};
    for (size_t i = 0; i < 10; i++) {
        int64_t count = counts[i / 5];
        size_t total = 0;
        struct pace_view views[2] = {{.host = "relay1"}, {.host = "relay2"}};
        start(count, 60000);
        for (int64_t ms = 0; ms < 60000; ms += 250) {
            size_t due = 99;
            struct pace_view *mine = &views[ms / 250 % 2];
            int64_t its_ms = start_ms + ms + (mine == views ? 0 : wrong_ms[i % 5]);
            int64_t at = last_at();
            if (at != mine->last_at) {
                mine->last_at = at;
                mine->seen_ms = its_ms;
            }
            ck_assert_int_eq(
                pace_claim(store, "i", mine, 1000, its_ms, either_soon(), &due),
                STATUS_OK);
            total += due;
        }
        ck_assert_msg((int64_t)total <= count + count / 20 && (int64_t)total >= count / 2,
                      "%zu: %zu", i, total);
    }
}
END_TEST

static atomic_size_t claimed;

static void *claim_often(void *argument)
{
    (void)argument;
    for (int64_t ms = 0; ms <= 1000; ms += 50)
        atomic_fetch_add(&claimed, claim(ms, 100));
    return NULL;
}

START_TEST(pace_is_claimed_once)
{
    pthread_t threads[4];
    start(100, 1000);
    atomic_store(&claimed, 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, claim_often, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    ck_assert_uint_ge(atomic_load(&claimed), 100);
    ck_assert_uint_le(atomic_load(&claimed), 101);
    json_t *pace = NULL;
    ck_assert_int_eq(pace_find(store, "i", either_soon(), &pace), STATUS_OK);
    ck_assert_uint_eq((size_t)record_number(pace, "released"), atomic_load(&claimed));
    json_decref(pace);
}
END_TEST

START_TEST(pace_is_a_number_in_a_time)
{
    struct pace_rate rate;
    static const char *const bad[] = {"",    "60",   "/m",   "60/",   "0/m",      "-1/m",
                                      "1/w", "1/mm", " 1/m", "1.5/m", "100001/s", "1 /m"};
    ck_assert(pace_parse("60/m", &rate));
    ck_assert_int_eq(rate.count, 60);
    ck_assert_int_eq(rate.period_ms, 60000);
    ck_assert(pace_parse("100000/d", &rate));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!pace_parse(bad[i], &rate), "%s", bad[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    for (int redis = 0; redis < 2; redis++) {
        TCase *tcase = tcase_create(redis ? "redis" : "memory");
        tcase_add_checked_fixture(tcase, redis ? setup_redis : setup_memory, teardown);
        tcase_add_test(tcase, pace_lets_so_many_go);
        tcase_add_test(tcase, pace_makes_up_for_nothing);
        tcase_add_test(tcase, pace_needs_no_clocks_that_agree);
        tcase_add_test(tcase, pace_stops);
        tcase_add_test(tcase, pace_is_claimed_once);
        tcase_add_test(tcase, pace_is_a_number_in_a_time);
        suite_add_tcase(suite, tcase);
    }
    return run_suite(suite);
}
