/* This relay alone: what it keeps of what Redis said, and what it tells Redis afterwards.
 * Two relays, a and b, share one Redis, which is stopped and goes on. */
#include <stdlib.h>

#include "relays_fixture.h"
#include "run.h"

enum { HOUR_MS = 3600000, NODES = 4 };

static const struct rate rate = {1000, INT64_C(86400000), 1000};
static const struct surge surge = {1700, 400, INT64_C(86400000)};

static void setup(void)
{
    open_relays(NODES, 150);
}

static struct charge bucket(const char *subject, int64_t cost)
{
    return (struct charge){.fingerprint = "bucket",
                           .subject = subject,
                           .rate = &rate,
                           .cost = cost,
                           .latch_ms = HOUR_MS};
}

static struct charge window(const char *subject, int64_t cost)
{
    return (struct charge){.fingerprint = "window",
                           .subject = subject,
                           .surge = &surge,
                           .cost = cost,
                           .latch_ms = HOUR_MS};
}

static bool is_latched(struct store *store, struct charge charge,
                       enum charge_source wanted)
{
    return ask(store, charge, CHARGE_PEEK, wanted).latch_ms > 0;
}

/* Both find out that it does not answer. */
static void stop_redis(void)
{
    (void)kill(server.pid, SIGSTOP);
    (void)ask(a, bucket("nobody", 0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL);
    (void)ask(b, bucket("nobody", 0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL);
    await_state(a, STORE_STATE_LOCAL);
    await_state(b, STORE_STATE_LOCAL);
}

static void continue_redis(void)
{
    (void)kill(server.pid, SIGCONT);
    await_state(a, STORE_STATE_OK);
    await_state(b, STORE_STATE_OK);
}

/* A past window in Redis, which no relay has seen. */
static void put_past(const char *subject, int64_t copies)
{
    char hash[DIGEST_HEX_SIZE], text[200];
    redisContext *context = server_try_connect(&server);
    digest_hex(&key, subject, strlen(subject), hash);
    (void)snprintf(text, sizeof text, "w 0 0 0 0 %lld:%lld",
                   (long long)clock_wall_ms() - HOUR_MS, (long long)copies);
    freeReplyObject(
        redisCommand(context, "SET {mb-test}:b:window:%s %s PX 3600000", hash, text));
    redisFree(context);
}

static const struct rate announced = {.tokens = 0, .period_ms = HOUR_MS, .burst = 400};

static struct charge permit(int64_t cost)
{
    return (struct charge){.fingerprint = "permit",
                           .subject = "p",
                           .rate = &announced,
                           .cost = cost,
                           .monitor = true,
                           .permit = true};
}

/* A relay has its part of what it last saw to be left, once; one that saw nothing has its
 * part of the whole. */
START_TEST(local_permit_is_a_part_of_what_was_left)
{
    (void)ask(a, permit(200), CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    stop_redis();
    ck_assert_int_eq(ask(a, permit(0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL).left, 50);
    ck_assert_int_eq(ask(b, permit(0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL).left, 100);
    ck_assert(ask(a, permit(50), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    ck_assert(!ask(a, permit(1), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    continue_redis();
    ck_assert_int_eq(ask(a, permit(0), CHARGE_LATCH, CHARGE_SOURCE_REDIS).left, 150);
    stop_redis();
    ck_assert(!ask(a, permit(1), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
}
END_TEST

/* Whoever set it: a relay that has seen it keeps to it, and one that has not can't. */
START_TEST(local_keeps_latches_it_saw)
{
    (void)ask(a, bucket("a", 1000), CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    (void)ask(a, bucket("a", 1), CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    (void)ask(b, window("w", 401), CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    ck_assert(is_latched(a, window("w", 0), CHARGE_SOURCE_REDIS));
    stop_redis();
    ck_assert(is_latched(a, bucket("a", 0), CHARGE_SOURCE_LOCAL));
    ck_assert(is_latched(a, window("w", 0), CHARGE_SOURCE_LOCAL));
    ck_assert(is_latched(b, window("w", 0), CHARGE_SOURCE_LOCAL));
    ck_assert(!is_latched(b, bucket("a", 0), CHARGE_SOURCE_LOCAL));
}
END_TEST

START_TEST(local_forgets_latches_that_are_off)
{
    struct charge charge = bucket("a", 1000);
    (void)ask(a, charge, CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    (void)ask(a, charge, CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    ck_assert_int_eq(store_amend(b, &charge, 1, AMEND_UNLATCH, soon()), STATUS_OK);
    ck_assert(!is_latched(a, charge, CHARGE_SOURCE_REDIS));
    stop_redis();
    ck_assert(!is_latched(a, charge, CHARGE_SOURCE_LOCAL));
}
END_TEST

/* A mirrored latch that another relay took off while this one could not see it must not
 * come back, though messages ran into it and renewed it here. */
START_TEST(local_mirror_is_no_source)
{
    struct charge charge = bucket("a", 1000);
    (void)ask(a, charge, CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    (void)ask(a, charge, CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    ck_assert_int_eq(store_amend(b, &charge, 1, AMEND_RESET, soon()), STATUS_OK);
    stop_redis();
    ck_assert(ask(a, bucket("a", 1), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).latch_ms > 0);
    continue_redis();
    ck_assert(!is_latched(a, charge, CHARGE_SOURCE_REDIS));
    ck_assert(ask(a, charge, CHARGE_TAKE, CHARGE_SOURCE_REDIS).fits);
}
END_TEST

/* What fired here while Redis was away holds everywhere afterwards, once; and a look
 * tells Redis nothing. */
START_TEST(local_latches_reach_redis)
{
    struct charge charge = bucket("a", 250);
    stop_redis();
    ck_assert(ask(a, charge, CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    ck_assert(!ask(a, charge, CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    (void)ask(a, window("w", 101), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    (void)ask(a, window("w", 401), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    continue_redis();
    ck_assert(is_latched(a, charge, CHARGE_SOURCE_REDIS));
    ck_assert(!is_latched(b, charge, CHARGE_SOURCE_REDIS));
    ck_assert(ask(a, charge, CHARGE_TAKE, CHARGE_SOURCE_REDIS).latch_ms > 0);
    ck_assert(is_latched(b, charge, CHARGE_SOURCE_REDIS));
    ck_assert(ask(a, window("w", 0), CHARGE_LATCH, CHARGE_SOURCE_REDIS).latch_ms > 0);
    ck_assert(is_latched(b, window("w", 0), CHARGE_SOURCE_REDIS));
    ck_assert_int_eq(store_amend(b, &charge, 1, AMEND_UNLATCH, soon()), STATUS_OK);
    ck_assert(!is_latched(a, charge, CHARGE_SOURCE_REDIS));
}
END_TEST

static const struct rate eight = {8, INT64_C(86400000), 8};

/* client: NULL asks for nobody. */
static struct charge clients_of(const char *subject, const char *client)
{
    return (struct charge){.fingerprint = "clients",
                           .subject = subject,
                           .rate = &eight,
                           .clients = true,
                           .client = client,
                           .cost = client != NULL,
                           .latch_ms = HOUR_MS};
}

static bool sends(struct store *store, const char *client, enum charge_source wanted)
{
    return ask(store, clients_of("a", client), CHARGE_TAKE, wanted).fits;
}

/* Relay a has seen three, more than its share of two: those go on, and no other comes in;
 * relay b has seen none of them. */
START_TEST(local_clients_it_saw_go_on)
{
    ck_assert(sends(a, "192.0.2.1", CHARGE_SOURCE_REDIS));
    ck_assert(sends(a, "192.0.2.2", CHARGE_SOURCE_REDIS));
    ck_assert(sends(a, "192.0.2.3", CHARGE_SOURCE_REDIS));
    ck_assert_int_eq(ask(b, clients_of("a", NULL), CHARGE_PEEK, CHARGE_SOURCE_REDIS).left,
                     5);
    stop_redis();
    ck_assert(sends(a, "192.0.2.2", CHARGE_SOURCE_LOCAL));
    ck_assert(sends(a, "192.0.2.1", CHARGE_SOURCE_LOCAL));
    struct charge_outcome outcome =
        ask(a, clients_of("a", "192.0.2.4"), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    ck_assert(!outcome.fits);
    ck_assert_int_eq(outcome.burst, 2);
    ck_assert_int_eq(outcome.whole, 5);
    ck_assert(!is_latched(a, clients_of("a", NULL), CHARGE_SOURCE_LOCAL));
    ck_assert(sends(a, "192.0.2.3", CHARGE_SOURCE_LOCAL));
    ck_assert(sends(b, "192.0.2.4", CHARGE_SOURCE_LOCAL));
    ck_assert(sends(b, "192.0.2.5", CHARGE_SOURCE_LOCAL));
    ck_assert(!sends(b, "192.0.2.1", CHARGE_SOURCE_LOCAL));
    continue_redis();
    ck_assert(sends(a, "192.0.2.6", CHARGE_SOURCE_REDIS));
    ck_assert_int_eq(ask(b, clients_of("a", NULL), CHARGE_PEEK, CHARGE_SOURCE_REDIS).left,
                     2); /* with those of local mode */
}
END_TEST

/* When this relay alone has seen as many as all may have, it is the limit that fires. */
START_TEST(local_clients_fire_at_the_whole_limit)
{
    char client[20];
    for (int i = 1; i <= 8; i++) {
        (void)snprintf(client, sizeof client, "192.0.2.%d", i);
        ck_assert(sends(a, client, CHARGE_SOURCE_REDIS));
    }
    stop_redis();
    struct charge_outcome outcome =
        ask(a, clients_of("a", "192.0.2.9"), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    ck_assert(!outcome.fits);
    ck_assert_int_eq(outcome.whole, 0);
    ck_assert(is_latched(a, clients_of("a", NULL), CHARGE_SOURCE_LOCAL));
}
END_TEST

/* A message that is stopped leaves nothing to be mirrored. */
START_TEST(local_clients_that_were_stopped_are_unknown)
{
    struct charge charges[] = {clients_of("a", "192.0.2.1"), bucket("a", 1001)};
    struct charge_outcome outcomes[2];
    enum charge_source source;
    charges[1].latch_ms = 0;
    ck_assert_int_eq(store_charge(a, charges, 2, CHARGE_TAKE, soon(), outcomes, &source),
                     STATUS_OK);
    ck_assert_int_eq(source, CHARGE_SOURCE_REDIS);
    stop_redis();
    ck_assert_int_eq(ask(a, clients_of("a", NULL), CHARGE_PEEK, CHARGE_SOURCE_LOCAL).left,
                     2);
}
END_TEST

/* What only the share is too small for is asked to come again: it finds no latch. */
START_TEST(local_share_latches_nothing_that_could_pass)
{
    stop_redis();
    struct charge_outcome outcome =
        ask(a, bucket("a", 251), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    ck_assert(!outcome.fits);
    ck_assert_int_eq(outcome.burst, 250);
    ck_assert(!is_latched(a, bucket("a", 0), CHARGE_SOURCE_LOCAL));
    outcome = ask(a, window("w", 400), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    ck_assert(!outcome.fits);
    ck_assert_int_eq(outcome.burst, 100);
    ck_assert(!is_latched(a, window("w", 0), CHARGE_SOURCE_LOCAL));
    (void)ask(a, window("w", 401), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    ck_assert(is_latched(a, window("w", 0), CHARGE_SOURCE_LOCAL));
}
END_TEST

/* A newsletter's usual audience is known when Redis is away: this relay's part of it. */
START_TEST(local_knows_what_is_usual)
{
    struct window window_now;
    struct charge charge = window("news", 0);
    put_past("news", 4004);
    ck_assert_int_eq(ask(a, charge, CHARGE_PEEK, CHARGE_SOURCE_REDIS).burst, 6806);
    ck_assert_int_eq(store_window(a, &charge, soon(), &window_now), STATUS_OK);
    ck_assert_uint_eq(window_now.past_count, 1);
    ck_assert_int_eq(window_now.past[0].copies, 4004);
    (void)ask(a, window("small", 5), CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    stop_redis();
    ck_assert_int_eq(ask(a, charge, CHARGE_PEEK, CHARGE_SOURCE_LOCAL).burst, 1701);
    ck_assert_int_eq(ask(b, charge, CHARGE_PEEK, CHARGE_SOURCE_LOCAL).burst, 100);
    ck_assert_int_eq(ask(a, window("small", 0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL).left,
                     98); /* a quarter of 5 is counted as 2 */
    ck_assert_int_eq(store_window(a, &charge, soon(), &window_now), STATUS_OK);
    ck_assert_uint_eq(window_now.past_count, 1);
    ck_assert_int_eq(window_now.past[0].copies, 1001);
    (void)ask(a, window("news", 1500), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    continue_redis();
    server_do(&server, "FLUSHALL");
    ck_assert_int_eq(ask(a, charge, CHARGE_PEEK, CHARGE_SOURCE_REDIS).burst, 400);
    stop_redis();
    struct charge_outcome outcome = ask(a, charge, CHARGE_PEEK, CHARGE_SOURCE_LOCAL);
    ck_assert_int_eq(outcome.burst, 100); /* not usual any more, */
    ck_assert_int_eq(outcome.left, 0);    /* and still sent */
}
END_TEST

/* So is a run that is usual: neither is it more than that, nor a reason for a latch. */
START_TEST(local_share_latches_nothing_that_is_usual)
{
    put_past("news", 4004);
    (void)ask(a, window("news", 0), CHARGE_PEEK, CHARGE_SOURCE_REDIS);
    stop_redis();
    struct charge_outcome outcome =
        ask(a, window("news", 4004), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    ck_assert(!outcome.fits);
    ck_assert_int_eq(outcome.burst, 1701);
    ck_assert_int_eq(outcome.whole, 6806);
    outcome = ask(a, window("news", 6807), CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
    ck_assert_int_eq(outcome.latch_ms, 0);
    ck_assert(is_latched(a, window("news", 0), CHARGE_SOURCE_LOCAL));
}
END_TEST

START_TEST(local_amends_while_away)
{
    struct charge charges[] = {bucket("a", 250), window("w", 100)};
    struct charge_outcome outcomes[2];
    enum charge_source source;
    struct window window_now;
    stop_redis();
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(
            store_charge(a, charges, 2, CHARGE_TAKE, soon(), outcomes, &source),
            STATUS_OK);
    ck_assert(is_latched(a, charges[0], CHARGE_SOURCE_LOCAL));
    ck_assert_int_eq(store_amend(a, charges, 2, AMEND_RESET, soon()), STATUS_UNAVAILABLE);
    ck_assert(!is_latched(a, charges[0], CHARGE_SOURCE_LOCAL));
    ck_assert_int_eq(ask(a, charges[0], CHARGE_PEEK, CHARGE_SOURCE_LOCAL).left, 250);
    ck_assert_int_eq(ask(a, charges[1], CHARGE_PEEK, CHARGE_SOURCE_LOCAL).left, 100);
    ck_assert_int_eq(store_amend(a, charges, 2, AMEND_TRAIN, soon()), STATUS_UNAVAILABLE);
    ck_assert_int_eq(store_window(a, &charges[1], soon(), &window_now), STATUS_OK);
    ck_assert_int_eq(window_now.trained, 100);
    continue_redis();
    ck_assert(!is_latched(a, charges[0], CHARGE_SOURCE_REDIS)); /* nothing was carried */
    ck_assert_int_eq(store_amend(a, charges, 2, AMEND_TRAIN, soon()), STATUS_OK);
    ck_assert_int_eq(store_window(b, &charges[1], soon(), &window_now), STATUS_OK);
    ck_assert_int_eq(window_now.trained, 100);
    stop_redis();
    ck_assert_int_eq(store_window(a, &charges[1], soon(), &window_now), STATUS_OK);
    ck_assert_int_eq(window_now.trained, 100); /* trained to Redis, not here again */
}
END_TEST

/* A key that can't be read stops its messages until it is reset. */
START_TEST(local_reset_repairs)
{
    struct charge charges[] = {bucket("bad", 1), window("bad", 1)};
    char hash[DIGEST_HEX_SIZE], command[200];
    digest_hex(&key, "bad", 3, hash);
    (void)snprintf(command, sizeof command, "RPUSH {mb-test}:b:bucket:%s x", hash);
    server_do(&server, command);
    (void)snprintf(command, sizeof command, "SET {mb-test}:b:window:%s x", hash);
    server_do(&server, command);
    for (int i = 0; i < 2; i++) {
        (void)ask(a, charges[i], CHARGE_TAKE, CHARGE_SOURCE_LOCAL);
        ck_assert_int_eq(store_amend(a, &charges[i], 1, AMEND_UNLATCH, soon()),
                         STATUS_UNAVAILABLE);
        ck_assert_int_eq(store_amend(a, &charges[i], 1, AMEND_RESET, soon()), STATUS_OK);
        (void)ask(a, charges[i], CHARGE_TAKE, CHARGE_SOURCE_REDIS);
    }
    ck_assert_int_eq(store_state(a), STORE_STATE_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("local");
    TCase *tcase = tcase_create("local");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, local_permit_is_a_part_of_what_was_left);
    tcase_add_test(tcase, local_keeps_latches_it_saw);
    tcase_add_test(tcase, local_forgets_latches_that_are_off);
    tcase_add_test(tcase, local_mirror_is_no_source);
    tcase_add_test(tcase, local_latches_reach_redis);
    tcase_add_test(tcase, local_clients_it_saw_go_on);
    tcase_add_test(tcase, local_clients_fire_at_the_whole_limit);
    tcase_add_test(tcase, local_clients_that_were_stopped_are_unknown);
    tcase_add_test(tcase, local_share_latches_nothing_that_could_pass);
    tcase_add_test(tcase, local_knows_what_is_usual);
    tcase_add_test(tcase, local_share_latches_nothing_that_is_usual);
    tcase_add_test(tcase, local_amends_while_away);
    tcase_add_test(tcase, local_reset_repairs);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
