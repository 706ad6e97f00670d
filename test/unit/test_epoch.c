/* A Redis that loses data: it gets back what the relays saw last, before they charge it.
 * Two relays, a and b, share it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "epoch_fixture.h"
#include "run.h"

/* The very next message already meets what was seen, whatever it draws from. */
START_TEST(epoch_flushed_store_refills_nothing)
{
    ck_assert(passes(a, bucket("spent", SIZE)));
    ck_assert(passes(a, bucket("half", SIZE / 2)));
    ck_assert(passes(a, latched("latched", SIZE)));
    ck_assert(!passes(a, latched("latched", 1)));
    struct charge one = bucket("one", 1);
    one.rate = &once;
    one.fingerprint = "one";
    ck_assert(passes(a, one));
    ck_assert(passes(a, window("w", 399)));
    ck_assert(passes(a, client("c", "192.0.2.1")) &&
              passes(a, client("c", "192.0.2.2")) && passes(a, client("c", "192.0.2.3")));
    flush();
    ck_assert(!passes(a, bucket("spent", 1)));
    ck_assert_int_eq(reports_with("Redis has lost data"), 1);
    ck_assert_int_eq(left(b, bucket("half", 0)), SIZE / 2);
    ck_assert_int_gt(
        ask(b, latched("latched", 0), CHARGE_PEEK, CHARGE_SOURCE_REDIS).latch_ms,
        HOUR_MS - 60000);
    ck_assert(!passes(b, one));
    ck_assert(!passes(b, window("w", 2)) && passes(b, window("w", 1)));
    ck_assert(!passes(b, client("c", "192.0.2.4")));
    ck_assert(passes(b, client("c", "192.0.2.3")));
}
END_TEST

/* Each of several kinds notices it by itself. */
START_TEST(epoch_each_kind_notices)
{
    struct charge one = bucket("one", 1);
    one.rate = &once;
    one.fingerprint = "one";
    ck_assert(passes(a, one));
    flush();
    ck_assert(!passes(a, one));
    ck_assert(passes(a, window("w", 399)));
    flush();
    ck_assert(!passes(a, window("w", 2)));
    for (int i = 0; i < 3; i++)
        ck_assert(passes(a, client("c", (const char *[]){"1", "2", "3"}[i])));
    flush();
    ck_assert(!passes(a, client("c", "4")));
    ck_assert_int_eq(reports_with("Redis has lost data"), 3);
}
END_TEST

/* In how many ms that key ends. */
static int64_t ends_in(struct charge charge)
{
    char hash[DIGEST_HEX_SIZE];
    redisContext *context = server_try_connect(&server);
    digest_hex(&key, charge.subject, strlen(charge.subject), hash);
    redisReply *reply =
        redisCommand(context, "PTTL {mb-test}:b:%s:%s", charge.fingerprint, hash);
    int64_t ms = reply->integer;
    freeReplyObject(reply);
    redisFree(context);
    return ms;
}

/* No key that is written back is kept for longer than before. */
START_TEST(epoch_keys_end_as_before)
{
    enum { CHARGES = 5 };
    const struct charge charges[CHARGES] = {bucket("k", 100), latched("latched", SIZE),
                                            window("w", 150), window("usual", 300),
                                            client("c", "192.0.2.1")};
    int64_t before[CHARGES];
    for (int i = 0; i < CHARGES; i++) {
        ck_assert(passes(a, charges[i]));
        before[i] = ends_in(charges[i]);
    }
    flush();
    ck_assert(passes(a, bucket("else", 1)));
    for (int i = 0; i < 200 && reports_with("Redis has lost data") < 1; i++) {
        (void)!store_poll(a, soon());
        (void)usleep(10000);
    }
    for (int i = 0; i < CHARGES; i++) {
        ck_assert_int_le(ends_in(charges[i]), before[i]);
        ck_assert_int_gt(ends_in(charges[i]), before[i] - 10000);
    }
}
END_TEST

/* Without mail, at the poll. */
START_TEST(epoch_poll_notices)
{
    ck_assert(passes(a, bucket("spent", SIZE)));
    flush();
    for (int i = 0; i < 200 && reports_with("Redis has lost data") < 2; i++) {
        poll_both();
        (void)usleep(10000);
    }
    ck_assert_int_eq(left(b, bucket("spent", 0)), 0);
    ck_assert_int_eq(reports_with("Redis has lost data"), 2); /* by both */
}
END_TEST

/* What only the other relay saw comes from there; what was charged meanwhile stays. */
START_TEST(epoch_strictest_sight_wins)
{
    ck_assert(passes(a, bucket("shared", 100)));
    ck_assert(passes(b, bucket("shared", 100)));
    ck_assert(passes(a, bucket("of a", 200)));
    ck_assert(passes(b, bucket("of b", 200)));
    ck_assert(passes(b, window("w", 150)));
    flush();
    ck_assert(passes(a, bucket("shared", 10))); /* a saw 200 left */
    ck_assert(passes(a, bucket("of b", 10)));   /* a never saw it */
    ck_assert(passes(a, window("w", 5)));
    (void)!store_poll(b, soon());
    for (int i = 0; i < 200 && reports_with("Redis has lost data") < 2; i++)
        (void)usleep(10000);
    ck_assert_int_eq(left(a, bucket("shared", 0)), 100);
    ck_assert_int_eq(left(a, bucket("of b", 0)), 100);
    ck_assert_int_eq(left(a, bucket("of a", 0)), 100);
    ck_assert_int_eq(left(a, window("w", 0)), 400 - 155);
}
END_TEST

/* Restarted without its data. */
START_TEST(epoch_restarted_store_refills_nothing)
{
    ck_assert(passes(a, bucket("spent", SIZE)));
    ck_assert(passes(b, bucket("half", SIZE / 2)));
    server_kill(&server);
    server_start(&server);
    int passed = 0;
    for (int i = 0; i < 200; i++) {
        struct charge_outcome outcome = {0};
        enum charge_source source;
        struct charge charge = bucket("spent", 1);
        ck_assert_int_eq(
            store_charge(a, &charge, 1, CHARGE_TAKE, soon(), &outcome, &source),
            STATUS_OK);
        passed += outcome.fits;
        (void)usleep(1000);
    }
    ck_assert_int_eq(passed, 0);
    (void)!store_poll(b, soon());
    await_state(a, STORE_STATE_OK);
    await_state(b, STORE_STATE_OK);
    for (int i = 0; i < 200 && reports_with("Redis has lost data") < 2; i++) {
        (void)!store_poll(b, soon());
        (void)usleep(10000);
    }
    ck_assert_int_eq(left(a, bucket("half", 0)), SIZE / 2);
}
END_TEST

/* An older copy of the store, as a replica that lags has it, or a snapshot. */
START_TEST(epoch_older_copy_refills_nothing)
{
    ck_assert(passes(a, bucket("k", 100)));
    poll_both();
    server_do(&server, "SAVE");
    (void)usleep(3000);
    ck_assert(passes(a, bucket("k", 150)));
    ck_assert(passes(a, bucket("new", 150)));
    poll_both();
    server_kill(&server);
    server_start(&server);
    (void)!store_poll(a, soon());
    for (int i = 0; i < 500 && reports_with("Redis has lost data") < 1; i++) {
        (void)!store_poll(a, soon());
        (void)usleep(10000);
    }
    await_state(a, STORE_STATE_OK);
    ck_assert_int_eq(left(a, bucket("k", 0)), SIZE - 250);
    ck_assert_int_eq(left(a, bucket("new", 0)), SIZE - 150);
    char path[160];
    (void)snprintf(path, sizeof path, "%s/dump.rdb", server.folder);
    (void)unlink(path);
}
END_TEST

/* A value as it was a second ago. */
static void put_back(const char *subject, int level)
{
    char hash[DIGEST_HEX_SIZE], value[60];
    redisContext *context = server_try_connect(&server);
    digest_hex(&key, subject, strlen(subject), hash);
    (void)snprintf(value, sizeof value, "%d 0 %lld", level,
                   (long long)clock_wall_ms() - 1000);
    freeReplyObject(redisCommand(context, "SET {mb-test}:b:bucket:%s %s", hash, value));
    redisFree(context);
}

/* No poll was between: only the last moment was lost, and that is told by the older
 * values alone. What was reset by hand stays so. */
START_TEST(epoch_last_moment_comes_back_and_resets_stay)
{
    struct charge reset = bucket("reset", SIZE);
    ck_assert(passes(a, bucket("k", 100)));
    ck_assert(passes(a, reset));
    poll_both();
    ck_assert(!passes(a, reset));
    (void)usleep(3000);
    ck_assert(passes(a, bucket("k", 50)));
    put_back("k", 200);
    ck_assert_int_eq(store_amend(b, &reset, 1, AMEND_RESET, soon()), STATUS_OK);
    (void)kill(server.pid, SIGSTOP);
    for (int i = 0; i < 3; i++)
        (void)ask(a, bucket("nobody", 0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL);
    await_state(a, STORE_STATE_LOCAL);
    (void)kill(server.pid, SIGCONT);
    await_state(a, STORE_STATE_OK);
    ck_assert_int_eq(left(a, bucket("k", 0)), 150);
    ck_assert(passes(a, reset));
    ck_assert_int_eq(reports_with("Redis has lost data"), 0);
}
END_TEST

/* Another server has taken over, without a key that is younger than the last count, or
 * than that count, which another relay has made up there meanwhile. */
START_TEST(epoch_new_server_lacks_a_new_key)
{
    const struct connection_address address = {
        .path = server.socket, .username = "", .password = ""};
    char command[104] = "DEL ";
    struct connection *connection = NULL;
    struct error error = {0};
    struct epoch *epoch = epoch_new(settings.prefix, &key, reporter);
    ck_assert_int_eq(connection_open(&address, soon(), &connection, &error), STATUS_OK);
    ck_assert_int_eq(epoch_enter(epoch, connection, EPOCH_MOVED, 1000, &error),
                     STATUS_OK);
    print_key("new", command + strlen(command));
    for (int counted = 0; counted < 2; counted++) {
        charge_over(connection, epoch);
        if (counted)
            ck_assert_int_eq(epoch_tick(epoch, connection, soon(), &error), STATUS_OK);
        (void)usleep(3000);
        server_do(&server, command);
        ck_assert_int_eq(epoch_enter(epoch, connection, EPOCH_MOVED, 1000, &error),
                         STATUS_OK);
        ck_assert_int_eq(left(b, bucket("new", 0)), SIZE - 100 * (counted + 1));
    }
    ck_assert_int_eq(reports_with("Redis has lost data"), 0);
    connection_free(connection);
    epoch_free(epoch);
}
END_TEST

enum { THREADS = 8, FLUSHES = 6 };

static void *charge_on(void *context)
{
    atomic_int *passed = context;
    for (int i = 0; i < 120; i++) {
        struct charge charge = bucket("storm", 1);
        struct charge_outcome outcome = {.fits = false};
        enum charge_source source;
        if (store_charge(a, &charge, 1, CHARGE_TAKE, soon(), &outcome, &source) ==
                STATUS_OK &&
            outcome.fits)
            (void)atomic_fetch_add(passed, 1);
        (void)usleep(2000);
    }
    return NULL;
}

/* Many messages at once: what one was just told when Redis forgot it is owed. */
START_TEST(epoch_flushed_again_and_again_in_a_storm)
{
    pthread_t threads[THREADS];
    atomic_int passed = 0;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, charge_on, &passed), 0);
    for (int i = 0; i < FLUSHES; i++) {
        (void)usleep(50000);
        server_do(&server, "FLUSHALL");
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    ck_assert_int_ge(atomic_load(&passed), SIZE - THREADS * FLUSHES);
    ck_assert_int_le(atomic_load(&passed), SIZE + THREADS); /* one may be under way */
    ck_assert_int_ge(reports_with("Redis has lost data"), 1);
}
END_TEST

/* As many keys as are kept: those used up are among them, whatever came after. */
START_TEST(epoch_flood_pushes_out_its_own)
{
    enum { KEYS = 120000, SPENT = 50, TOGETHER = 400 };
    static struct charge charges[TOGETHER];
    static char subjects[TOGETHER][24];
    static struct charge_outcome outcomes[TOGETHER];
    enum charge_source source;
    char name[24];
    for (int i = 0; i < SPENT; i++) {
        (void)snprintf(name, sizeof name, "spent%d", i);
        ck_assert(passes(a, bucket(name, SIZE)));
    }
    for (int i = 0; i < KEYS; i += TOGETHER) {
        for (int n = 0; n < TOGETHER; n++) {
            (void)snprintf(subjects[n], sizeof subjects[n], "random%d", i + n);
            charges[n] = bucket(subjects[n], 1);
        }
        ck_assert_int_eq(
            store_charge(a, charges, TOGETHER, CHARGE_TAKE, soon(), outcomes, &source),
            STATUS_OK);
    }
    flush();
    /* On a slow machine that takes longer than one message waits; none passes meanwhile.
     */
    struct charge charge = bucket("spent0", 1);
    do {
        ck_assert_int_eq(
            store_charge(a, &charge, 1, CHARGE_TAKE, soon(), outcomes, &source),
            STATUS_OK);
        ck_assert(!outcomes[0].fits);
    } while (source != CHARGE_SOURCE_REDIS);
    for (int i = 0; i < SPENT; i++) {
        (void)snprintf(name, sizeof name, "spent%d", i);
        ck_assert(!passes(a, bucket(name, 1)));
    }
    char count[32];
    server_say(&server, "DBSIZE", count, sizeof count);
    ck_assert_int_ge(atoi(count), 100000);
    ck_assert_int_le(atoi(count), 100001);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("epoch");
    TCase *tcase = tcase_create("epoch");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, epoch_flushed_store_refills_nothing);
    tcase_add_test(tcase, epoch_each_kind_notices);
    tcase_add_test(tcase, epoch_keys_end_as_before);
    tcase_add_test(tcase, epoch_poll_notices);
    tcase_add_test(tcase, epoch_strictest_sight_wins);
    tcase_add_test(tcase, epoch_restarted_store_refills_nothing);
    tcase_add_test(tcase, epoch_older_copy_refills_nothing);
    tcase_add_test(tcase, epoch_last_moment_comes_back_and_resets_stay);
    tcase_add_test(tcase, epoch_new_server_lacks_a_new_key);
    tcase_add_test(tcase, epoch_flushed_again_and_again_in_a_storm);
    tcase_add_test(tcase, epoch_flood_pushes_out_its_own);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
