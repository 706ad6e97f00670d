/* What memory forgets when it has to: bounded, and never what matters most. */
#include "memory_fixture.h"
#include "run.h"
#include "store/client_places.h"

START_TEST(rows_full_set_forgets_nearest_to_full)
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
START_TEST(rows_forgets_by_part_missing)
{
    ck_assert(take(9, 0, 1, 1));
    for (uint32_t i = 1; i < MEMORY_WAYS; i++)
        ck_assert(take(9, i, 400, 1000));
    for (uint32_t i = 100; i < 130; i++)
        ck_assert(take(9, i, 300, 1000));
    ck_assert_int_eq(left_in(9, 0, 1), 0);
}
END_TEST

START_TEST(rows_full_bucket_is_a_free_place)
{
    struct limiter_request request = make_request(9, 50, 3, 10);
    struct charge_outcome outcome;
    ck_assert(take(9, 0, 1, 100)); /* full again after 864 s */
    for (uint32_t i = 1; i < MEMORY_WAYS; i++)
        ck_assert(take(9, i, 10, 10));
    ck_assert_int_eq(
        memory_charge(memory, &request, 1, CHARGE_TAKE, now_ms + 864000, &outcome),
        STATUS_OK);
    for (uint32_t i = 1; i < MEMORY_WAYS; i++)
        ck_assert_int_eq(left_in(9, i, 10), 0);
}
END_TEST

/* A permit of which one copy is spent stays as a latch does, until it can be of no use.
 */
START_TEST(rows_permits_stay)
{
    struct limiter_request request = make_request(9, 0, 1, 1000);
    struct charge_outcome outcome;
    request.rate = (struct rate){.tokens = 0, .period_ms = 60000, .burst = 1000};
    request.permit = request.monitor = true;
    ck_assert_int_eq(memory_charge(memory, &request, 1, CHARGE_TAKE, now_ms, &outcome),
                     STATUS_OK);
    for (uint32_t i = 1; i < 50; i++)
        ck_assert(take(9, i, 10, 10));
    ck_assert_int_eq(memory_charge(memory, &request, 1, CHARGE_PEEK, now_ms, &outcome),
                     STATUS_OK);
    ck_assert_int_eq(outcome.left, 999);
    for (uint32_t i = 1; i < MEMORY_WAYS + 1; i++) {
        struct limiter_request other = make_request(9, 100 + i, 10, 10);
        ck_assert_int_eq(
            memory_charge(memory, &other, 1, CHARGE_TAKE, now_ms + 60000, &outcome),
            STATUS_OK);
    }
    ck_assert_int_eq(
        memory_charge(memory, &request, 1, CHARGE_PEEK, now_ms + 60000, &outcome),
        STATUS_OK);
    ck_assert_int_eq(outcome.left, 1000);
}
END_TEST

/* A million senders with a message each don't give back what others have spent. */
START_TEST(rows_flood_keeps_the_spent)
{
    enum { SPENT = 100, SENDERS = 1000000, STRIDE = 40503 };
    bool fits = true;
    for (uint32_t i = 0; i < SPENT; i++)
        ck_assert(take(i * STRIDE, i, 10, 10));
    for (uint32_t i = 0; i < SENDERS && fits; i++) {
        struct limiter_request request =
            make_request(i * UINT32_C(2654435761), SPENT + i, 1, 2000);
        struct charge_outcome outcome = {0};
        fits = memory_charge(memory, &request, 1, CHARGE_TAKE, now_ms, &outcome) ==
                   STATUS_OK &&
               outcome.fits;
    }
    ck_assert(fits);
    for (uint32_t i = 0; i < SPENT; i++)
        ck_assert_int_eq(left_in(i * STRIDE, i, 10), 0);
}
END_TEST

/* So many copies into a window at some time; what was found. */
static struct charge_outcome count_in(uint32_t set, uint32_t number, int64_t cost,
                                      int64_t at_ms)
{
    struct limiter_request request = window_request(set, number, cost, 1000);
    struct charge_outcome outcome = {.left = -1};
    request.latch_ms = 3600000;
    ck_assert_int_eq(memory_charge(memory, &request, 1, CHARGE_TAKE, at_ms, &outcome),
                     STATUS_OK);
    return outcome;
}

/* Of a full set goes first what has counted least, of two alike the older; then a past,
 * then what is nearly used up, and at last what is latched. */
START_TEST(rows_window_set_forgets_by_loss)
{
    const int64_t day_ms = 86400000;
    int64_t at_ms = now_ms + day_ms;
    (void)count_in(9, 0, 501, now_ms); /* over by then, and remembered */
    (void)count_in(9, 1, 990, at_ms);
    (void)count_in(9, 2, 1001, at_ms); /* latched */
    for (uint32_t i = 3; i < MEMORY_WAYS; i++)
        (void)count_in(9, i, 7, at_ms - i);
    for (uint32_t i = 100; i < 100 + MEMORY_WAYS - 3; i++)
        (void)count_in(9, i, 300, at_ms);
    for (uint32_t i = 3; i < MEMORY_WAYS; i++)
        ck_assert_int_eq(count_in(9, i, 0, at_ms).left, 1000);
    ck_assert_int_eq(count_in(9, 0, 0, at_ms).burst, 1002);
    for (uint32_t i = 200; i < 200 + MEMORY_WAYS - 2; i++)
        (void)count_in(9, i, 600, at_ms); /* more than a past */
    ck_assert_int_eq(count_in(9, 0, 0, at_ms).burst, 1000);
    ck_assert_int_eq(count_in(9, 1, 0, at_ms).left, 10);
    for (uint32_t i = 300; i < 300 + MEMORY_WAYS - 1; i++)
        (void)count_in(9, i, 1000, at_ms);
    ck_assert_int_eq(count_in(9, 1, 0, at_ms).left, 1000);
    ck_assert_int_gt(count_in(9, 2, 0, at_ms).latch_ms, 0);
}
END_TEST

START_TEST(rows_equal_windows_the_oldest_goes)
{
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        (void)count_in(9, i, 1, now_ms + (i * 5) % MEMORY_WAYS);
    (void)count_in(9, 100, 1, now_ms + 100);
    (void)count_in(9, 101, 1, now_ms + 101);
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        ck_assert_int_eq(count_in(9, i, 0, now_ms + 200).left,
                         (i * 5) % MEMORY_WAYS < 2 ? 1000 : 999);
}
END_TEST

/* Of latches the one that lapses first goes first. */
START_TEST(rows_latches_go_last)
{
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        (void)count_in(9, i, 1001, now_ms + (i + 3) % MEMORY_WAYS);
    (void)count_in(9, 100, 1001, now_ms + 100);
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        ck_assert_int_eq(count_in(9, i, 0, now_ms + 200).latch_ms > 0, i != 5);
}
END_TEST

/* Half a million campaigns a day, a message each, for three days: what is latched, nearly
 * used up or has a past is still there. */
START_TEST(rows_campaigns_keep_what_matters)
{
    enum { MATTER = 300, CAMPAIGNS = 500000, STRIDE = 40503 };
    const int64_t day_ms = 86400000;
    bool good = true;
    for (uint32_t i = 0; i < MATTER; i++)
        (void)count_in(i * STRIDE, i, 800, now_ms - day_ms); /* the past */
    for (uint32_t day = 0; day < 3; day++) {
        int64_t start_ms = now_ms + day * day_ms;
        uint32_t used = 1000 * (day + 1), latched = 5000 + used;
        for (uint32_t i = 0; i < MATTER; i++) {
            (void)count_in(i * STRIDE, used + i, 950, start_ms);
            (void)count_in(i * STRIDE, latched + i, 1001, start_ms);
        }
        for (uint32_t i = 0; i < CAMPAIGNS; i++) {
            int64_t at_ms = start_ms + i * day_ms / CAMPAIGNS / 25; /* in an hour */
            uint32_t number = day * CAMPAIGNS + i;
            struct limiter_request request =
                window_request(number * UINT32_C(2654435761), 10000 + number, 1, 1000);
            struct charge_outcome outcome = {0};
            good = good && memory_charge(memory, &request, 1, CHARGE_TAKE, at_ms,
                                         &outcome) == STATUS_OK;
        }
        int64_t end_ms = start_ms + day_ms / 25;
        for (uint32_t i = 0; i < MATTER && good; i++)
            good = count_in(i * STRIDE, i, 0, end_ms).burst == 1600 &&
                   count_in(i * STRIDE, used + i, 0, end_ms).left == 50 &&
                   count_in(i * STRIDE, latched + i, 0, end_ms).latch_ms > 0;
        ck_assert_msg(good, "day %u", day);
    }
}
END_TEST

START_TEST(rows_stays_below_its_bound)
{
    ck_assert_uint_le(MEMORY_WAYS * (MEMORY_BUCKET_SETS * sizeof(struct bucket_row) +
                                     MEMORY_WINDOW_SETS * sizeof(struct window_row)),
                      41 * 1000 * 1000);
}
END_TEST

static struct charge_outcome send_as(uint32_t set, uint32_t number, int64_t client,
                                     int64_t limit)
{
    struct limiter_request request = {.id = make_id(set, number),
                                      .has_clients = true,
                                      .rate = {limit, INT64_C(86400000), limit},
                                      .client = client,
                                      .cost = client > 0};
    struct charge_outcome outcome = {.left = -1};
    ck_assert_int_eq(memory_charge(memory, &request, 1,
                                   client > 0 ? CHARGE_TAKE : CHARGE_PEEK, now_ms,
                                   &outcome),
                     STATUS_OK);
    return outcome;
}

enum { KEYS = 5 * MEMORY_CLIENT_SETS, MANY = 17, MANY_PLACES = 32 };

/* More clients than there are places: each is served, and what is forgotten are the
 * clients of whole keys. */
START_TEST(rows_clients_have_a_bound)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < KEYS; i++)
        for (int64_t client = 1; client <= MANY; client++)
            if (!send_as(i % MEMORY_CLIENT_SETS, i / MEMORY_CLIENT_SETS, client, 256)
                     .fits)
                ck_abort_msg("key %u, client %d", i, (int)client);
    for (uint32_t i = 0; i < KEYS; i++) {
        int64_t left =
            send_as(i % MEMORY_CLIENT_SETS, i / MEMORY_CLIENT_SETS, 0, 256).left;
        ck_assert_msg(left == 256 - MANY || left == 256, "key %u: %d", i, (int)left);
        kept += left < 256;
    }
    ck_assert_uint_le(kept, CLIENT_PLACES_MAX / MANY_PLACES);
    ck_assert_uint_gt(kept, CLIENT_PLACES_MAX / MANY_PLACES * 9 / 10);
}
END_TEST

/* A flood of keys that are seen once pushes out its own. */
START_TEST(rows_clients_that_are_many_stay)
{
    for (int64_t client = 1; client <= 10; client++)
        ck_assert(send_as(7, 0, client, 10).fits);
    for (uint32_t other = 1; other < 50; other++)
        ck_assert(send_as(7, other, 99, 10).fits);
    ck_assert(!send_as(7, 0, 11, 10).fits);
    ck_assert(send_as(7, 0, 10, 10).fits);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rows");
    TCase *tcase = tcase_create("rows");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, rows_permits_stay);
    tcase_add_test(tcase, rows_clients_have_a_bound);
    tcase_add_test(tcase, rows_clients_that_are_many_stay);
    tcase_add_test(tcase, rows_full_set_forgets_nearest_to_full);
    tcase_add_test(tcase, rows_forgets_by_part_missing);
    tcase_add_test(tcase, rows_full_bucket_is_a_free_place);
    tcase_add_test(tcase, rows_flood_keeps_the_spent);
    tcase_add_test(tcase, rows_window_set_forgets_by_loss);
    tcase_add_test(tcase, rows_equal_windows_the_oldest_goes);
    tcase_add_test(tcase, rows_latches_go_last);
    tcase_add_test(tcase, rows_campaigns_keep_what_matters);
    tcase_add_test(tcase, rows_stays_below_its_bound);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
