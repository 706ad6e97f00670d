/* Charges in a private redis-server. */
#include "redis_fixture.h"
#include "run.h"

struct spender {
    pthread_t thread;
    int fitted, failed;
};

static void *spend(void *context)
{
    struct spender *spender = context;
    for (int i = 0; i < 100; i++) {
        struct charge_outcome outcome = {0};
        if (charge_one("sender:crowd@example.org", 1, &outcome) != STATUS_OK)
            spender->failed++;
        else if (outcome.fits)
            spender->fitted++;
    }
    return NULL;
}

START_TEST(redis_burst_is_exact_at_any_concurrency)
{
    enum { THREADS = 16 };
    struct spender spenders[THREADS] = {0};
    int sum = 0;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&spenders[i].thread, NULL, spend, &spenders[i]),
                         0);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(spenders[i].thread, NULL), 0);
        ck_assert_int_eq(spenders[i].failed, 0);
        sum += spenders[i].fitted;
    }
    ck_assert_int_eq(sum, 1000);
}
END_TEST

struct client {
    pthread_t thread;
    struct redis *redis;
    int fitted, failed;
};

static struct charge window_charge(int64_t cost)
{
    static const struct surge surge = {2000, 100, INT64_C(86400000)};
    return (struct charge){.fingerprint = "window",
                           .subject = "crowd",
                           .surge = &surge,
                           .cost = cost,
                           .latch_ms = 3600000};
}

static void *send_all(void *context)
{
    struct client *client = context;
    struct charge charge = window_charge(1);
    for (int i = 0; i < 10; i++) {
        struct charge_outcome outcome = {0};
        if (redis_charge(client->redis, &charge, 1, CHARGE_TAKE, NULL, soon(),
                         &outcome) != STATUS_OK)
            client->failed++;
        else if (!charge_outcome_fires(&outcome))
            client->fitted++;
    }
    return NULL;
}

/* 50 clients of two relays at 100 copies: exactly 100 pass, and the latch is set. */
START_TEST(redis_window_is_exact_at_any_concurrency)
{
    enum { THREADS = 50 };
    struct client clients[THREADS] = {0};
    struct redis *other = NULL;
    struct charge charge = window_charge(0);
    struct window window;
    struct charge_outcome outcome;
    int sum = 0;
    ck_assert_int_eq(redis_open(&settings, &key, reporter, &other, NULL), STATUS_OK);
    for (int i = 0; i < THREADS; i++) {
        clients[i].redis = i % 2 == 0 ? redis : other;
        ck_assert_int_eq(pthread_create(&clients[i].thread, NULL, send_all, &clients[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(clients[i].thread, NULL), 0);
        ck_assert_int_eq(clients[i].failed, 0);
        sum += clients[i].fitted;
    }
    ck_assert_int_eq(sum, 100);
    ck_assert_int_eq(redis_window(other, &charge, soon(), &window), STATUS_OK);
    ck_assert_int_eq(window.copies, 100);
    ck_assert_int_eq(redis_charge(redis, &charge, 1, CHARGE_PEEK, NULL, soon(), &outcome),
                     STATUS_OK);
    ck_assert_int_eq(outcome.left, 0);
    ck_assert_int_le(outcome.latch_ms, 3600000);
    ck_assert_int_gt(outcome.latch_ms, 3600000 - 20000);
    redis_close(other);
}
END_TEST

/* Four copies a message, of which a rule would stop all. */
static void *announce(void *context)
{
    static const struct rate permit = {.tokens = 0, .period_ms = 60000, .burst = 403};
    static const struct rate closed = {1, INT64_C(366) * 86400000, 1};
    const struct charge charges[2] = {
        {.fingerprint = "permit",
         .subject = "p",
         .rate = &permit,
         .cost = 4,
         .monitor = true,
         .permit = true},
        {.fingerprint = "closed", .subject = "crowd", .rate = &closed, .cost = 4}};
    struct client *client = context;
    for (int i = 0; i < 10; i++) {
        struct charge_outcome outcomes[2] = {0};
        if (redis_charge(client->redis, charges, 2,
                         i % 2 == 0 ? CHARGE_TAKE : CHARGE_LATCH, NULL, soon(),
                         outcomes) != STATUS_OK)
            client->failed++;
        else if (outcomes[0].fits)
            client->fitted++;
        if (!outcomes[1].fits && outcomes[1].left != 1)
            client->failed++; /* the rule was drawn from */
    }
    return NULL;
}

/* 50 clients of two relays at one permit of 403 copies: exactly 100 messages pass. */
START_TEST(redis_permit_is_exact_at_any_concurrency)
{
    enum { THREADS = 50 };
    struct client clients[THREADS] = {0};
    struct redis *other = NULL;
    int sum = 0;
    ck_assert_int_eq(redis_open(&settings, &key, reporter, &other, NULL), STATUS_OK);
    for (int i = 0; i < THREADS; i++) {
        clients[i].redis = i % 2 == 0 ? redis : other;
        ck_assert_int_eq(pthread_create(&clients[i].thread, NULL, announce, &clients[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(clients[i].thread, NULL), 0);
        ck_assert_int_eq(clients[i].failed, 0);
        sum += clients[i].fitted;
    }
    ck_assert_int_eq(sum, 100);
    redis_close(other);
}
END_TEST

/* A latch that only this process saw: a look tells nobody, a charge tells all; and never
 * for longer than its rule allows. */
START_TEST(redis_latch_is_carried)
{
    const int64_t carried[] = {0, 5000000};
    struct charge charges[] = {make_charge("a", 1), window_charge(1)};
    struct charge_outcome outcomes[2];
    charges[0].latch_ms = 3600000;
    ck_assert_int_eq(
        redis_charge(redis, charges, 2, CHARGE_PEEK, carried, soon(), outcomes),
        STATUS_OK);
    ck_assert_int_eq(outcomes[0].latch_ms, 0);
    ck_assert_int_eq(outcomes[1].latch_ms, 3600000);
    ck_assert_int_eq(redis_charge(redis, charges, 2, CHARGE_PEEK, NULL, soon(), outcomes),
                     STATUS_OK);
    ck_assert_int_eq(outcomes[1].latch_ms, 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(redis_charge(redis, charges, 2, CHARGE_TAKE,
                                      i == 0 ? carried : NULL, soon(), outcomes),
                         STATUS_OK);
    ck_assert_int_eq(outcomes[0].latch_ms, 0);
    ck_assert_int_gt(outcomes[1].latch_ms, 3600000 - 20000);
    ck_assert_int_eq(outcomes[0].left, 1000); /* the first time, too, it decided */
}
END_TEST

START_TEST(redis_charges_all_or_nothing)
{
    struct charge_outcome outcomes[2];
    ck_assert_int_eq(charge_one("empty", 1000, outcomes), STATUS_OK);
    for (size_t empty = 0; empty < 2; empty++) {
        struct charge charges[2];
        charges[empty] = make_charge("empty", 1);
        charges[1 - empty] = make_charge("rich", 5);
        ck_assert_int_eq(
            redis_charge(redis, charges, 2, CHARGE_TAKE, NULL, soon(), outcomes),
            STATUS_OK);
        ck_assert(!outcomes[empty].fits);
        ck_assert(outcomes[1 - empty].fits);
        ck_assert_int_eq(outcomes[1 - empty].left, 1000);
        ck_assert_int_eq(outcomes[1 - empty].burst, 1000);
    }
    ck_assert_int_eq(left_in("rich"), 1000);
}
END_TEST

START_TEST(redis_monitor_never_stops)
{
    struct charge_outcome outcomes[3];
    struct charge charges[3] = {make_charge("a", 600), make_charge("b", 1001),
                                make_charge("c", 300)};
    charges[1].monitor = charges[2].monitor = true;
    ck_assert_int_eq(redis_charge(redis, charges, 3, CHARGE_TAKE, NULL, soon(), outcomes),
                     STATUS_OK);
    ck_assert(outcomes[0].fits && !outcomes[1].fits && outcomes[2].fits);
    ck_assert_int_eq(redis_charge(redis, charges, 3, CHARGE_TAKE, NULL, soon(), outcomes),
                     STATUS_OK);
    ck_assert(!outcomes[0].fits && outcomes[2].fits);
    ck_assert_int_eq(left_in("a"), 400);
    ck_assert_int_eq(left_in("b"), 1000);
    ck_assert_int_eq(left_in("c"), 700);
}
END_TEST

START_TEST(redis_look_writes_nothing)
{
    char count[32];
    struct charge charge = make_charge("look", 1);
    struct charge_outcome outcome;
    ck_assert_int_eq(redis_charge(redis, &charge, 1, CHARGE_PEEK, NULL, soon(), &outcome),
                     STATUS_OK);
    ck_assert(outcome.fits);
    (void)usleep(20000); /* the reconnector's probe lives for 1 ms */
    server_do(&server, "GET {mb-test}:probe");
    server_say(&server, "DBSIZE", count, sizeof count);
    ck_assert_str_eq(count, "1"); /* the epoch */
}
END_TEST

/* Key and value show no address, and the key goes when the bucket is full. */
START_TEST(redis_keeps_hashes_only)
{
    char name[200], command[256], reply[200];
    struct charge_outcome outcome;
    ck_assert_int_eq(charge_one("sender:anna@example.org", 500, &outcome), STATUS_OK);
    key_of("sender:anna@example.org", name, sizeof name);
    (void)snprintf(command, sizeof command, "PTTL %s", name);
    server_say(&server, command, reply, sizeof reply);
    ck_assert_int_gt(atol(reply), 43100000);
    ck_assert_int_le(atol(reply), 43200000);
    (void)snprintf(command, sizeof command, "GET %s", name);
    server_say(&server, command, reply, sizeof reply);
    ck_assert_int_eq(strncmp(reply, "500 0 ", 6), 0);
}
END_TEST

START_TEST(redis_takes_hundreds_of_buckets)
{
    enum { COUNT = STORE_CHARGES_MAX };
    struct charge *charges = calloc(COUNT, sizeof *charges);
    struct charge_outcome *outcomes = calloc(COUNT, sizeof *outcomes);
    char(*subjects)[32] = calloc(COUNT, sizeof *subjects);
    settings.timeout_ms = 5000; /* a busy i386 takes longer than a mail may */
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(subjects[i], sizeof subjects[i], "list:%d", i);
        charges[i] = make_charge(subjects[i], i % 900);
    }
    ck_assert_int_eq(
        redis_charge(redis, charges, COUNT, CHARGE_TAKE, NULL, soon(), outcomes),
        STATUS_OK);
    for (int i = 1; i < COUNT; i += 500)
        ck_assert_int_eq(left_in(subjects[i]), 1000 - i % 900);
    free(subjects);
    free(outcomes);
    free(charges);
}
END_TEST

START_TEST(redis_lost_script_is_sent_again)
{
    struct charge_outcome outcome;
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    server_do(&server, "SCRIPT FLUSH");
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert_int_eq(outcome.left, 999);
    server_do(&server, "FLUSHALL");
    (void)usleep(5000); /* in the same millisecond it could be an answer that came late */
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert_int_eq(outcome.left, 998);
    ck_assert_int_eq(reports_with("Redis has lost data"), 1);
    ck_assert_int_eq(reports.count, 1);
}
END_TEST

static void put_value(const char *command, const char *name, const char *value)
{
    redisContext *context = server_try_connect(&server);
    ck_assert_ptr_nonnull(context);
    freeReplyObject(redisCommand(context, "DEL %s", name));
    freeReplyObject(redisCommand(context, "%s %s %s", command, name, value));
    redisFree(context);
}

/* A bucket that can't be read stops its message, and no other. */
START_TEST(redis_bad_bucket_concerns_one_message)
{
    const char *const bad[] = {"x",
                               "",
                               "1.5 0 0",
                               "-1 0 0",
                               "1 2",
                               "1 2 3 4 5",
                               "1 2 3 ",
                               "1 2 3 x",
                               "1 0 0 99999999999999999999",
                               "w 0 0 0",
                               "nan 0 0",
                               "1e3 0 0",
                               "1000000001 0 0",
                               "1 86400000 0",
                               "1 0 99999999999999999999"};
    const size_t count = sizeof bad / sizeof *bad;
    struct charge charges[2] = {make_charge("good", 1), make_charge("bad", 1)};
    struct charge_outcome outcomes[2] = {{0}};
    char name[200];
    key_of("bad", name, sizeof name);
    for (size_t i = 0; i < count; i++) {
        put_value("SET", name, bad[i]);
        ck_assert_msg(redis_charge(redis, charges, 2, CHARGE_TAKE, NULL, soon(),
                                   outcomes) == STATUS_UNAVAILABLE,
                      "%s", bad[i]);
        ck_assert_int_eq(left_in("good"), 1000);
    }
    put_value("RPUSH", name, "x");
    ck_assert_int_eq(redis_charge(redis, charges, 2, CHARGE_TAKE, NULL, soon(), outcomes),
                     STATUS_UNAVAILABLE);
    ck_assert_int_eq(left_in("good"), 1000);
    ck_assert(!redis_is_away(redis));
    ck_assert_int_eq(reports_with("bad bucket in Redis: "), (int)count + 1);
    ck_assert_int_eq(reports_with("CORRUPT bucket {mb-test}:b:rule:"), (int)count);
    ck_assert_int_eq(reports_with("WRONGTYPE"), 1);
}
END_TEST

START_TEST(redis_bad_window_is_told)
{
    const char *const bad[] = {"x",
                               "w",
                               "w 1 2",
                               "w 1 2 0 3 ",
                               "w 1 2 0 3 4",
                               "w 1 2 0 3 4:",
                               "w 1 2 0 3 4:5 ",
                               "w 1 2 0 3 4:5 x",
                               "w 1 2 0 3  4:5",
                               "w 1 2 0 3 4:5:6",
                               "w 1 1000000001 0 0",
                               "w 1 0 1000000001 0",
                               "w 1 1 0 0 1:1000000001",
                               "w 99999999999999999 1 0 0",
                               "w 1 1 0 99999999999999999",
                               "w 1 1 0 0 99999999999999999:1",
                               "w 1 1 0 0 9:1 8:1 7:1 6:1 5:1 4:1 3:1 2:1 1:1",
                               "w -1 1 0 0",
                               "5 0 1787000000123",
                               "v 1 2 3"};
    const size_t count = sizeof bad / sizeof *bad;
    struct charge charge = window_charge(1);
    struct charge_outcome outcome;
    char name[200], hash[DIGEST_HEX_SIZE];
    digest_hex(&key, "crowd", 5, hash);
    (void)snprintf(name, sizeof name, "{mb-test}:b:window:%s", hash);
    for (size_t i = 0; i < count; i++) {
        put_value("SET", name, bad[i]);
        ck_assert_msg(redis_charge(redis, &charge, 1, CHARGE_TAKE, NULL, soon(),
                                   &outcome) == STATUS_UNAVAILABLE,
                      "%s", bad[i]);
    }
    ck_assert(!redis_is_away(redis));
    ck_assert_int_eq(reports_with("CORRUPT bucket {mb-test}:b:window:"), (int)count);
    put_value("SET", name, "w 0 0 0 0");
    ck_assert_int_eq(redis_charge(redis, &charge, 1, CHARGE_TAKE, NULL, soon(), &outcome),
                     STATUS_OK);
    ck_assert_int_eq(outcome.left, 100);
}
END_TEST

/* A level above a burst that was lowered is clamped. */
START_TEST(redis_level_is_clamped)
{
    char name[200];
    key_of("rich", name, sizeof name);
    put_value("SET", name, "5000 7 0");
    ck_assert_int_eq(left_in("rich"), 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis");
    TCase *tcase = tcase_create("redis");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, redis_burst_is_exact_at_any_concurrency);
    tcase_add_test(tcase, redis_window_is_exact_at_any_concurrency);
    tcase_add_test(tcase, redis_permit_is_exact_at_any_concurrency);
    tcase_add_test(tcase, redis_latch_is_carried);
    tcase_add_test(tcase, redis_charges_all_or_nothing);
    tcase_add_test(tcase, redis_monitor_never_stops);
    tcase_add_test(tcase, redis_look_writes_nothing);
    tcase_add_test(tcase, redis_keeps_hashes_only);
    tcase_add_test(tcase, redis_takes_hundreds_of_buckets);
    tcase_add_test(tcase, redis_lost_script_is_sent_again);
    tcase_add_test(tcase, redis_bad_bucket_concerns_one_message);
    tcase_add_test(tcase, redis_bad_window_is_told);
    tcase_add_test(tcase, redis_level_is_clamped);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
