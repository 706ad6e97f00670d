/* A Redis that loses data: it gets back what the relays saw last, before they charge it.
 * Two relays, a and b, share it. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../support/redis_server.h"
#include "../support/reports.h"
#include "base/clock.h"
#include "run.h"
#include "store/charge_call.h"
#include "store/epoch/epoch.h"
#include "store/store.h"

static struct server server;
static struct store_settings settings;
static struct digest_key key;
static struct store *a, *b;

enum { HOUR_MS = 3600000, SIZE = 300 };

static const struct rate rate = {1, RATE_PERIOD_MAX_MS, SIZE};
static const struct rate once = {1, INT64_C(86400000), 1};
static const struct surge surge = {2000, 400, INT64_C(86400000)};
static const struct rate three = {3, INT64_C(86400000), 3};

static struct store *open_store(void)
{
    struct store *store = NULL;
    struct error error = {0};
    ck_assert_msg(store_open(&settings, &key, reporter, &store, &error) == STATUS_OK,
                  "%s", error.text);
    return store;
}

static int64_t soon(void)
{
    return clock_monotonic_us() + 10000000;
}

/* For the first: mailbraked does it four times a second. */
static void poll_both(void)
{
    (void)!store_poll(a, soon());
    (void)!store_poll(b, soon());
}

static void setup(void)
{
    reports_forget();
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    server_open(&server, NULL, NULL);
    settings = reports_settings(server.socket);
    settings.nodes = 2;
    settings.timeout_ms = 500;
    a = open_store();
    b = open_store();
    ck_assert_int_eq(store_state(a), STORE_STATE_OK);
    ck_assert_int_eq(store_state(b), STORE_STATE_OK);
    poll_both();
}

static void teardown(void)
{
    (void)kill(server.pid, SIGCONT);
    store_close(a);
    store_close(b);
    server_close(&server);
}

static struct charge bucket(const char *subject, int64_t cost)
{
    return (struct charge){
        .fingerprint = "bucket", .subject = subject, .rate = &rate, .cost = cost};
}

static struct charge latched(const char *subject, int64_t cost)
{
    struct charge charge = bucket(subject, cost);
    charge.latch_ms = HOUR_MS;
    return charge;
}

static struct charge window(const char *subject, int64_t cost)
{
    return (struct charge){
        .fingerprint = "window", .subject = subject, .surge = &surge, .cost = cost};
}

static struct charge client(const char *subject, const char *name)
{
    return (struct charge){.fingerprint = "clients",
                           .subject = subject,
                           .rate = &three,
                           .clients = true,
                           .client = name,
                           .cost = name != NULL};
}

static struct charge_outcome ask(struct store *store, struct charge charge,
                                 enum charge_mode mode, enum charge_source wanted)
{
    struct charge_outcome outcome = {.left = -1};
    enum charge_source source = CHARGE_SOURCE_NONE;
    ck_assert_int_eq(store_charge(store, &charge, 1, mode, soon(), &outcome, &source),
                     STATUS_OK);
    ck_assert_int_eq(source, wanted);
    return outcome;
}

static bool passes(struct store *store, struct charge charge)
{
    return ask(store, charge, CHARGE_TAKE, CHARGE_SOURCE_REDIS).fits;
}

static int64_t left(struct store *store, struct charge charge)
{
    charge.cost = 0;
    return ask(store, charge, CHARGE_PEEK, CHARGE_SOURCE_REDIS).left;
}

static void await_state(struct store *store, enum store_state state)
{
    for (int i = 0; i < 2000 && store_state(store) != state; i++)
        (void)usleep(5000);
    ck_assert_int_eq(store_state(store), state);
}

/* Time passes, for an answer of the same instant proves nothing. */
static void flush(void)
{
    (void)usleep(3000);
    server_do(&server, "FLUSHALL");
}

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

/* The key of a bucket. */
static void print_key(const char *subject, char out[100])
{
    char hash[DIGEST_HEX_SIZE];
    digest_hex(&key, subject, strlen(subject), hash);
    (void)snprintf(out, 100, "{mb-test}:b:bucket:%s", hash);
}

/* Of the subject "new". */
static void charge_over(struct connection *connection, struct epoch *epoch)
{
    const struct charge charge = bucket("new", 100);
    const struct charge_order order = {
        .script = &scripts_charge, .mode = "take", .charges = &charge, .count = 1};
    struct charge_outcome outcome;
    struct error error = {0};
    char name[100];
    struct charge_call *call = charge_call_new(&order);
    print_key(charge.subject, name);
    charge_call_add_key(call, name);
    ck_assert_int_eq(charge_call_run(call, connection, soon(), &outcome, &error),
                     STATUS_OK);
    ck_assert(last_seen_note(epoch_last_seen(epoch), call, &outcome, CHARGE_TAKE, false,
                             clock_monotonic_us()));
    charge_call_free(call);
}

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

static void stop_redis(void)
{
    (void)kill(server.pid, SIGSTOP);
    for (int i = 0; i < 3; i++)
        (void)ask(a, bucket("nobody", 0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL);
    for (int i = 0; i < 3; i++)
        (void)ask(b, bucket("nobody", 0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL);
    await_state(a, STORE_STATE_LOCAL);
    await_state(b, STORE_STATE_LOCAL);
}

static int count_local(struct store *store, int messages)
{
    int passed = 0;
    for (int i = 0; i < messages; i++)
        passed += ask(store, bucket("k", 1), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits;
    return passed;
}

/* What each relay's share let pass while the store was away is taken from it, once; and
 * a share is a part of what was seen to be left. */
START_TEST(epoch_local_mail_is_charged_afterwards)
{
    ck_assert(passes(a, bucket("k", 100)));
    ck_assert(passes(b, bucket("k", 100)));
    ck_assert(passes(a, window("w", 100)));
    stop_redis();
    ck_assert_int_eq(count_local(a, 30), 30);
    ck_assert_int_eq(count_local(b, 80), 50); /* half of the 100 that it saw */
    ck_assert(ask(a, window("w", 100), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    ck_assert(ask(b, client("c", "192.0.2.1"), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    (void)kill(server.pid, SIGCONT);
    await_state(a, STORE_STATE_OK);
    await_state(b, STORE_STATE_OK);
    ck_assert_int_eq(left(a, bucket("k", 0)), 20);
    ck_assert_int_eq(left(a, window("w", 0)), 400 - 200);
    ck_assert_int_eq(left(a, client("c", NULL)), 2);
    poll_both();
    ck_assert_int_eq(left(a, bucket("k", 0)), 20);
}
END_TEST

static void await_losses(int count)
{
    for (int i = 0; i < 200 && reports_with("Redis has lost data") < count; i++) {
        poll_both();
        (void)usleep(10000);
    }
    ck_assert_int_eq(reports_with("Redis has lost data"), count);
}

/* What Redis was told of afterwards is known here, too, if it was never seen there. */
START_TEST(epoch_paid_debts_are_seen)
{
    stop_redis();
    ck_assert_int_eq(count_local(a, 30), 30);
    ck_assert(ask(a, window("w", 100), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    (void)kill(server.pid, SIGCONT);
    await_state(a, STORE_STATE_OK);
    await_state(b, STORE_STATE_OK);
    ck_assert_int_eq(left(a, bucket("k", 0)), SIZE - 30);
    flush();
    await_losses(2);
    ck_assert_int_eq(left(a, bucket("k", 0)), SIZE - 30);
    ck_assert_int_eq(left(a, window("w", 0)), 400 - 100);
}
END_TEST

/* What was owed and is paid is no heavier than the rest, which is written back newest
 * first. */
START_TEST(epoch_paid_debts_make_way)
{
    static struct last_seen_record record;
    const struct connection_address address = {
        .path = server.socket, .username = "", .password = ""};
    const struct charge owed = bucket("owed", 1);
    struct connection *connection = NULL;
    struct error error = {0};
    char name[100];
    uint32_t *list = NULL;
    size_t count = 0;
    struct epoch *epoch = epoch_new(settings.prefix, &key, reporter);
    struct last_seen *seen = epoch_last_seen(epoch);
    last_seen_owe(seen, &owed, 0, clock_wall_ms(), clock_monotonic_us());
    ck_assert_int_eq(connection_open(&address, soon(), &connection, &error), STATUS_OK);
    ck_assert_int_eq(epoch_enter(epoch, connection, EPOCH_AWAY, 1000, &error), STATUS_OK);
    ck_assert(!last_seen_owes(seen));
    charge_over(connection, epoch);
    ck_assert_int_eq(last_seen_list(seen, 0, &list, &count), STATUS_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert(last_seen_copy(seen, list[0], &record));
    print_key("new", name);
    ck_assert_str_eq(record.name, name + strlen("{mb-test}:b:"));
    free(list);
    connection_free(connection);
    epoch_free(epoch);
}
END_TEST

/* Shares may have let in more clients than the whole takes: those are told of, no more,
 * or the store would not read them. What costs nothing is not owed. */
START_TEST(epoch_owes_what_the_store_can_read)
{
    static struct last_seen_record record;
    struct last_seen *seen = last_seen_new(settings.prefix, &key);
    const struct charge nothing = bucket("nothing", 0), one = client("c", "192.0.2.1");
    uint32_t *list = NULL;
    size_t count = 0;
    last_seen_owe(seen, &nothing, 0, clock_wall_ms(), clock_monotonic_us());
    ck_assert(!last_seen_owes(seen));
    for (int i = 1; i <= 4; i++)
        last_seen_owe(seen, &one, i, clock_wall_ms(), clock_monotonic_us());
    ck_assert_int_eq(last_seen_list(seen, INT64_MAX, &list, &count), STATUS_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert(last_seen_copy(seen, list[0], &record));
    ck_assert_uint_eq(record.client_count, 3);
    ck_assert_int_eq(record.clients[2].client, 4);
    free(list);
    last_seen_free(seen);
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
    tcase_add_test(tcase, epoch_local_mail_is_charged_afterwards);
    tcase_add_test(tcase, epoch_paid_debts_are_seen);
    tcase_add_test(tcase, epoch_paid_debts_make_way);
    tcase_add_test(tcase, epoch_owes_what_the_store_can_read);
    tcase_add_test(tcase, epoch_flushed_again_and_again_in_a_storm);
    tcase_add_test(tcase, epoch_flood_pushes_out_its_own);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
