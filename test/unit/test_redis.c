/* Charges in a private redis-server, and what becomes of them when it does not answer as
 * it should. charge.lua runs the vectors of policy/bucket.c here, at their times. */
#include <check.h>
#include <stdlib.h>

#include "../support/fake_redis.h"
#include "../support/lua.h"
#include "../support/redis_server.h"
#include "../support/reports.h"
#include "../support/vectors.h"
#include "base/clock.h"
#include "store/pool.h"
#include "store/redis.h"
#include "store/wire.h"

/* 50 ms are promised; the rest is for a busy machine. */
enum { LATE_MS = 150 };

static struct server server;
static struct store_settings settings;
static struct redis *redis;
static struct digest_key key;

static void open_redis(void)
{
    struct error error = {0};
    ck_assert_msg(redis_open(&settings, &key, reporter, &redis, &error) == STATUS_OK,
                  "%s", error.text);
}

static void close_redis(void)
{
    redis_close(redis);
    redis = NULL;
}

static void setup_server(void)
{
    reports_forget();
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    server_open(&server, NULL, NULL);
    settings = reports_settings(server.socket);
}

static void setup(void)
{
    setup_server();
    open_redis();
    ck_assert(!redis_is_away(redis));
}

static void teardown(void)
{
    close_redis();
    server_close(&server);
}

static int64_t soon(void)
{
    return clock_monotonic_us() + 10000000;
}

/* 1000 a day are refilled one in 86 s: none during a test. */
static struct charge make_charge(const char *subject, int64_t cost)
{
    static const struct rate rate = {1000, INT64_C(86400000), 1000};
    return (struct charge){
        .fingerprint = "rule", .subject = subject, .rate = &rate, .cost = cost};
}

static enum status charge_one(const char *subject, int64_t cost, struct outcome *out)
{
    struct charge charge = make_charge(subject, cost);
    return redis_charge(redis, &charge, 1, true, soon(), out);
}

static int64_t left_in(const char *subject)
{
    struct charge charge = make_charge(subject, 0);
    struct outcome outcome = {.left = -1};
    ck_assert_int_eq(redis_charge(redis, &charge, 1, false, soon(), &outcome), STATUS_OK);
    return outcome.left;
}

static void key_of(const char *subject, char *out, size_t size)
{
    char hash[DIGEST_HEX_SIZE];
    digest_hex(&key, subject, strlen(subject), hash);
    (void)snprintf(out, size, "{mb-test}:b:rule:%s", hash);
}

static bool await_away(bool away, int ms)
{
    for (int i = 0; i < ms / 5 && redis_is_away(redis) != away; i++)
        (void)usleep(5000);
    return redis_is_away(redis) == away;
}

START_TEST(redis_script_agrees_with_vectors)
{
    struct lua lua;
    lua_open(&lua, &server);
    vectors_run(&(struct vector_user){lua_begin, lua_step, &lua});
    lua_close(&lua);
}
END_TEST

/* A day in irregular steps, each bucket beside the same one of policy/bucket.c. */
START_TEST(redis_script_agrees_over_a_day)
{
    const struct rate rates[] = {{1000, 3600000, 2000},
                                 {997, 86400001, 4999},
                                 {1000000000, 9007199, 1000000000},
                                 {284833, RATE_PERIOD_MAX_MS, 1000000}};
    struct lua lua;
    srandom(1);
    lua_open(&lua, &server);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        int64_t at_ms = INT64_C(1787000000123);
        int64_t end_ms = at_ms + 86400000;
        struct bucket bucket = bucket_full(&rates[i], at_ms);
        lua_begin(&lua, "", &rates[i]);
        while (at_ms < end_ms) {
            bucket_refill(&bucket, &rates[i], at_ms);
            int64_t cost = bucket.level > 0 ? random() % (2 * bucket.level) : 1;
            ck_assert_int_eq(lua_charge(&lua, cost, at_ms), bucket.level);
            if (!bucket_take(&bucket, cost))
                bucket.stamp_ms = at_ms;
            at_ms += random() % 200000;
        }
    }
    lua_close(&lua);
}
END_TEST

struct spender {
    pthread_t thread;
    int fitted, failed;
};

static void *spend(void *context)
{
    struct spender *spender = context;
    for (int i = 0; i < 100; i++) {
        struct outcome outcome = {0};
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

START_TEST(redis_charges_all_or_nothing)
{
    struct outcome outcomes[2];
    ck_assert_int_eq(charge_one("empty", 1000, outcomes), STATUS_OK);
    for (size_t empty = 0; empty < 2; empty++) {
        struct charge charges[2];
        charges[empty] = make_charge("empty", 1);
        charges[1 - empty] = make_charge("rich", 5);
        ck_assert_int_eq(redis_charge(redis, charges, 2, true, soon(), outcomes),
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
    struct outcome outcomes[3];
    struct charge charges[3] = {make_charge("a", 600), make_charge("b", 1001),
                                make_charge("c", 300)};
    charges[1].monitor = charges[2].monitor = true;
    ck_assert_int_eq(redis_charge(redis, charges, 3, true, soon(), outcomes), STATUS_OK);
    ck_assert(outcomes[0].fits && !outcomes[1].fits && outcomes[2].fits);
    ck_assert_int_eq(redis_charge(redis, charges, 3, true, soon(), outcomes), STATUS_OK);
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
    struct outcome outcome;
    ck_assert_int_eq(redis_charge(redis, &charge, 1, false, soon(), &outcome), STATUS_OK);
    ck_assert(outcome.fits);
    (void)usleep(20000); /* the keeper's probe lives for 1 ms */
    server_do(&server, "GET {mb-test}:probe");
    server_say(&server, "DBSIZE", count, sizeof count);
    ck_assert_str_eq(count, "0");
}
END_TEST

/* Key and value show no address, and the key goes when the bucket is full. */
START_TEST(redis_keeps_hashes_only)
{
    char name[200], command[256], reply[200];
    struct outcome outcome;
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
    struct outcome *outcomes = calloc(COUNT, sizeof *outcomes);
    char(*subjects)[32] = calloc(COUNT, sizeof *subjects);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(subjects[i], sizeof subjects[i], "list:%d", i);
        charges[i] = make_charge(subjects[i], i % 900);
    }
    ck_assert_int_eq(redis_charge(redis, charges, COUNT, true, soon(), outcomes),
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
    struct outcome outcome;
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    server_do(&server, "SCRIPT FLUSH");
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert_int_eq(outcome.left, 999);
    server_do(&server, "FLUSHALL");
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert_int_eq(outcome.left, 1000);
    ck_assert_int_eq(reports.count, 0);
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
                               "1 2 3 4",
                               "nan 0 0",
                               "1e3 0 0",
                               "1000000001 0 0",
                               "1 86400000 0",
                               "1 0 99999999999999999999"};
    const size_t count = sizeof bad / sizeof *bad;
    struct charge charges[2] = {make_charge("good", 1), make_charge("bad", 1)};
    struct outcome outcomes[2] = {{0}};
    char name[200];
    key_of("bad", name, sizeof name);
    for (size_t i = 0; i < count; i++) {
        put_value("SET", name, bad[i]);
        ck_assert_msg(redis_charge(redis, charges, 2, true, soon(), outcomes) ==
                          STATUS_UNAVAILABLE,
                      "%s", bad[i]);
        ck_assert_int_eq(left_in("good"), 1000);
    }
    put_value("RPUSH", name, "x");
    ck_assert_int_eq(redis_charge(redis, charges, 2, true, soon(), outcomes),
                     STATUS_UNAVAILABLE);
    ck_assert_int_eq(left_in("good"), 1000);
    ck_assert(!redis_is_away(redis));
    ck_assert_int_eq(reports_with("bad bucket in Redis: "), (int)count + 1);
    ck_assert_int_eq(reports_with("CORRUPT bucket {mb-test}:b:rule:"), (int)count);
    ck_assert_int_eq(reports_with("WRONGTYPE"), 1);
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

START_TEST(redis_readonly_opens_breaker)
{
    char command[64];
    struct outcome outcome;
    (void)snprintf(command, sizeof command, "REPLICAOF 127.0.0.1 %d", server_free_port());
    server_do(&server, command);
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert(redis_is_away(redis));
    (void)usleep(600000); /* probes don't believe a replica either */
    ck_assert(redis_is_away(redis));
    ck_assert_int_eq(reports_with("store away: READONLY"), 1);
    server_do(&server, "REPLICAOF NO ONE");
    ck_assert(await_away(false, 1000));
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert(reports_await("store back", 500));
    ck_assert_int_eq(reports.count, 2);
}
END_TEST

START_TEST(redis_oom_opens_breaker)
{
    struct outcome outcome;
    server_do(&server, "CONFIG SET maxmemory-policy noeviction");
    server_do(&server, "CONFIG SET maxmemory 1mb");
    (void)charge_one("a", 1, &outcome);
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert_int_eq(reports_with("store away: OOM"), 1);
    server_do(&server, "CONFIG SET maxmemory 0");
    ck_assert(await_away(false, 1000));
}
END_TEST

START_TEST(redis_eviction_policy_is_told)
{
    close_redis();
    server_do(&server, "CONFIG SET maxmemory-policy allkeys-lru");
    open_redis();
    ck_assert_int_eq(reports_with("maxmemory-policy allkeys-lru"), 1);
    ck_assert_int_eq(reports.count, 1);
}
END_TEST

START_TEST(redis_dead_connections_are_replaced)
{
    struct outcome outcome;
    for (int i = 0; i < 3; i++) {
        server_do(&server, "CLIENT KILL TYPE normal");
        ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
        ck_assert_int_eq(outcome.left, 1000 - i);
        (void)usleep(200000); /* the keeper is left alone while it connects */
    }
    ck_assert_int_eq(reports.count, 0);
}
END_TEST

START_TEST(redis_killed_and_back)
{
    struct outcome outcome;
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    server_kill(&server);
    int64_t start_us = clock_monotonic_us();
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_monotonic_us() - start_us, (250 + LATE_MS) * 1000);
    ck_assert(reports_await("store away: ", 500));
    server_start(&server);
    ck_assert(await_away(false, 2000));
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert(reports_await("store back", 500));
    ck_assert_int_eq(reports_with("store away: "), 1);
    ck_assert_int_eq(reports_with("store back"), 1);
}
END_TEST

struct stress {
    pthread_t thread;
    atomic_bool *stop;
    int answered;
    int64_t slowest_us;
};

static void *stress(void *context)
{
    struct stress *self = context;
    while (!atomic_load(self->stop)) {
        struct outcome outcome;
        int64_t start_us = clock_monotonic_us();
        if (charge_one("stress", 0, &outcome) == STATUS_OK)
            self->answered++;
        int64_t took_us = clock_monotonic_us() - start_us;
        if (took_us > self->slowest_us)
            self->slowest_us = took_us;
        (void)usleep(500);
    }
    return NULL;
}

/* Killed twice and stopped once under traffic: every call answers in time, and each time
 * it is back by itself. */
START_TEST(redis_survives_under_traffic)
{
    enum { THREADS = 12 };
    struct stress threads[THREADS] = {0};
    atomic_bool stop = false;
    for (int i = 0; i < THREADS; i++) {
        threads[i].stop = &stop;
        ck_assert_int_eq(pthread_create(&threads[i].thread, NULL, stress, &threads[i]),
                         0);
    }
    for (int i = 0; i < 2; i++) {
        (void)usleep(200000);
        server_kill(&server);
        ck_assert(await_away(true, 1000));
        server_start(&server);
        ck_assert(await_away(false, 2000));
    }
    (void)kill(server.pid, SIGSTOP);
    ck_assert(await_away(true, 1000));
    (void)usleep(400000);
    (void)kill(server.pid, SIGCONT);
    ck_assert(await_away(false, 2000));
    (void)usleep(100000);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i].thread, NULL), 0);
        ck_assert_int_gt(threads[i].answered, 0);
        ck_assert_int_lt(threads[i].slowest_us, (250 + LATE_MS) * 1000);
    }
}
END_TEST

START_TEST(redis_stopped_answers_in_time)
{
    struct outcome outcome;
    (void)kill(server.pid, SIGSTOP);
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    int64_t first_us = clock_monotonic_us() - start_us;
    ck_assert_int_lt(first_us, (250 + LATE_MS) * 1000);
    ck_assert_int_ge(first_us, 240000);
    start_us = clock_monotonic_us();
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_monotonic_us() - start_us, LATE_MS * 1000);
    (void)kill(server.pid, SIGCONT);
    ck_assert(await_away(false, 2000));
    ck_assert_int_eq(reports_with("store away: no answer in time"), 1);
}
END_TEST

static struct wire *open_wire(void)
{
    const struct wire_address address = {
        .path = server.socket, .username = "", .password = ""};
    struct wire *wire = NULL;
    ck_assert_int_eq(wire_open(&address, soon(), &wire, NULL), STATUS_OK);
    return wire;
}

/* What fails on a connection of before says nothing about those of after. */
START_TEST(redis_old_failure_is_ignored)
{
    struct loan first, second, third;
    struct pool *pool = pool_new(2, reporter);
    ck_assert(!pool_take(pool, soon(), &first));
    pool_restore(pool, (struct wire *[]){open_wire(), open_wire()}, 2);
    ck_assert(pool_take(pool, soon(), &first));
    ck_assert(pool_take(pool, soon(), &second));
    pool_trip(pool, &first, "first");
    ck_assert(pool_is_open(pool));
    pool_restore(pool, (struct wire *[]){open_wire()}, 1);
    pool_trip(pool, &second, "second");
    ck_assert(!pool_is_open(pool));
    ck_assert_int_eq(reports_with("store away: "), 1);
    ck_assert(pool_take(pool, soon(), &third));
    pool_give(pool, &third);
    pool_free(pool);
}
END_TEST

/* When no new connection can be had, the loss of the last opens the breaker at once. */
START_TEST(redis_last_connection_opens_breaker)
{
    struct loan loan;
    struct pool *pool = pool_new(2, reporter);
    pool_restore(pool, (struct wire *[]){open_wire()}, 1);
    pool_lack(pool, "refused");
    ck_assert(!pool_is_open(pool));
    ck_assert(pool_take(pool, soon(), &loan));
    pool_drop(pool, &loan);
    ck_assert(pool_is_open(pool));
    ck_assert_int_eq(reports_with("store away: refused"), 1);
    pool_free(pool);
}
END_TEST

/* With next to no time left a message can't wait, but nor does it open the breaker. */
START_TEST(redis_short_deadline_proves_nothing)
{
    struct charge charge = make_charge("a", 1);
    struct outcome outcome;
    ck_assert_int_eq(
        redis_charge(redis, &charge, 1, true, clock_monotonic_us() - 1, &outcome),
        STATUS_UNAVAILABLE);
    ck_assert_int_eq(left_in("a"), 1000);
    (void)kill(server.pid, SIGSTOP);
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(redis_charge(redis, &charge, 1, true, start_us + 20000, &outcome),
                     STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_monotonic_us() - start_us, (20 + LATE_MS) * 1000);
    ck_assert(!redis_is_away(redis));
    (void)kill(server.pid, SIGCONT);
    ck_assert_int_eq(charge_one("b", 1, &outcome), STATUS_OK);
}
END_TEST

struct waiter {
    pthread_t thread;
    int64_t took_us;
};

static void *wait_for_answer(void *context)
{
    struct waiter *waiter = context;
    struct outcome outcome;
    int64_t start_us = clock_monotonic_us();
    (void)charge_one("a", 1, &outcome);
    waiter->took_us = clock_monotonic_us() - start_us;
    return NULL;
}

/* One has the connection, 64 wait, the other 15 don't; and those who wait are let go
 * when the first finds that Redis is away. */
START_TEST(redis_lets_so_many_wait)
{
    enum { THREADS = 80 };
    struct waiter waiters[THREADS] = {0};
    int quick = 0;
    close_redis();
    settings.connections = 1;
    settings.timeout_ms = 1000;
    open_redis();
    (void)kill(server.pid, SIGSTOP);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(
            pthread_create(&waiters[i].thread, NULL, wait_for_answer, &waiters[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(waiters[i].thread, NULL), 0);
        ck_assert_int_lt(waiters[i].took_us, (1000 + LATE_MS) * 1000);
        if (waiters[i].took_us < 400000)
            quick++;
    }
    (void)kill(server.pid, SIGCONT);
    ck_assert_int_eq(quick, THREADS - 1 - POOL_WAITERS_MAX);
}
END_TEST

START_TEST(redis_works_over_tcp)
{
    static char host[] = "127.0.0.1";
    struct outcome outcome;
    close_redis();
    settings.path = NULL;
    settings.host = host;
    settings.port = server.port;
    open_redis();
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    server_kill(&server);
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert(await_away(true, 500));
    server_start(&server);
    ck_assert(await_away(false, 2000));
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
}
END_TEST

static void write_password(char *path, size_t size, const char *text)
{
    (void)snprintf(path, size, "%s/password", server.folder);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

START_TEST(redis_logs_in_and_selects)
{
    char path[128], reply[64];
    static char user[] = "brake";
    struct outcome outcome;
    close_redis();
    server_do(&server, "ACL SETUSER brake on >secret ~{mb-test}:* +evalsha +eval +get "
                       "+set +del +time +select");
    write_password(path, sizeof path, "secret\n");
    settings.username = user;
    settings.password_file = path;
    settings.database = 3;
    open_redis();
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert_int_eq(reports.count, 0); /* CONFIG GET is not allowed: no matter */
    server_say(&server, "INFO keyspace", reply, sizeof reply);
    ck_assert_ptr_nonnull(strstr(reply, "db3:keys="));
    (void)unlink(path);
}
END_TEST

START_TEST(redis_password_alone)
{
    char path[128];
    struct outcome outcome;
    struct error error = {0};
    struct redis *none = NULL;
    close_redis();
    write_password(path, sizeof path, "wrong");
    settings.password_file = path;
    server_do(&server, "CONFIG SET requirepass secret");
    open_redis();
    ck_assert(redis_is_away(redis));
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert_int_eq(reports_with("store away: AUTH: WRONGPASS"), 1);
    close_redis();
    write_password(path, sizeof path, "secret\r\n");
    open_redis();
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    write_password(path, sizeof path, "\n");
    ck_assert_int_eq(redis_open(&settings, &key, reporter, &none, &error), STATUS_IO);
    (void)unlink(path);
    ck_assert_int_eq(redis_open(&settings, &key, reporter, &none, &error), STATUS_IO);
    ck_assert_str_eq(error.file, path);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(redis_needs_no_server_to_open)
{
    struct outcome outcome;
    close_redis();
    server_kill(&server);
    int64_t start_us = clock_monotonic_us();
    open_redis();
    ck_assert_int_lt(clock_monotonic_us() - start_us, (250 + LATE_MS) * 1000);
    ck_assert(redis_is_away(redis));
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert_int_eq(reports_with("store away: "), 1);
    (void)usleep(600000);
    ck_assert_int_eq(reports.count, 1);
    server_start(&server);
    ck_assert(await_away(false, 1000));
    ck_assert(reports_await("store back", 500));
}
END_TEST

/* Answers that are not what the script says, and what is told of them. */
static const struct {
    const char *answer, *why;
    bool drip;
} odd_answers[] = {
    {NULL, "closed", false},
    {"*1\r\n:1000", "no answer in time", false},
    {"*1\r\n:1000\r\n", "no answer in time", true},
    {"+OK\r\n", "unexpected", false},
    {"*0\r\n", "unexpected", false},
    {"*2\r\n:1\r\n:1\r\n", "unexpected", false},
    {"*1\r\n:1001\r\n", "unexpected", false},
    {"*1\r\n:-1\r\n", "unexpected", false},
    {"*1\r\n$2\r\n10\r\n", "unexpected", false},
    {"*1\r\n$-1\r\n", "unexpected", false},
    {"$-1\r\n", "unexpected", false},
    {"*-1\r\n", "unexpected", false},
    {"*1000000000\r\n", "memory", false},
    {"*1\r\n*1\r\n:1000\r\n", "memory", false},
    {"HTTP/1.1 400 Bad Request\r\n", "Protocol error", false},
    {"*1\r\n:1000\r\n:1\r\n", "nobody asked", false},
    {"-LOADING Redis is loading\r\n", "LOADING", false},
    {"-BUSY Redis is busy\r\n", "BUSY", false},
    {"-MISCONF stop\r\n", "MISCONF", false},
    {"-NOREPLICAS few\r\n", "NOREPLICAS", false},
    {"-NOAUTH who\r\n", "NOAUTH", false},
    {"-WRONGTYPES\r\n", "WRONGTYPES", false},
    {"-NOSCRIPT No matching script\r\n", "NOSCRIPT", false},
    {"-\r\n", "", false},
};

START_TEST(redis_believes_no_odd_answer)
{
    settings.timeout_ms = 100;
    for (size_t i = 0; i < sizeof odd_answers / sizeof *odd_answers; i++) {
        struct fake_redis fake;
        struct outcome outcome;
        close_redis();
        reports_forget();
        fake_open(&fake, odd_answers[i].answer, odd_answers[i].drip);
        settings.path = fake.path;
        open_redis();
        ck_assert_msg(!redis_is_away(redis), "case %zu: %s", i, reports.texts[0]);
        int64_t start_us = clock_monotonic_us();
        ck_assert_msg(charge_one("a", 1, &outcome) == STATUS_UNAVAILABLE, "case %zu", i);
        ck_assert_int_lt(clock_monotonic_us() - start_us, (100 + LATE_MS) * 1000);
        ck_assert_msg(reports_with("store away: ") == 1, "case %zu", i);
        ck_assert_msg(strstr(reports.texts[0], odd_answers[i].why) != NULL,
                      "case %zu: %s", i, reports.texts[0]);
        close_redis();
        fake_close(&fake);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis");
    TCase *script = tcase_create("script");
    tcase_add_checked_fixture(script, setup, teardown);
    tcase_set_timeout(script, 60);
    tcase_add_test(script, redis_script_agrees_with_vectors);
    tcase_add_test(script, redis_script_agrees_over_a_day);
    tcase_add_test(script, redis_burst_is_exact_at_any_concurrency);
    tcase_add_test(script, redis_charges_all_or_nothing);
    tcase_add_test(script, redis_monitor_never_stops);
    tcase_add_test(script, redis_look_writes_nothing);
    tcase_add_test(script, redis_keeps_hashes_only);
    tcase_add_test(script, redis_takes_hundreds_of_buckets);
    tcase_add_test(script, redis_lost_script_is_sent_again);
    tcase_add_test(script, redis_bad_bucket_concerns_one_message);
    tcase_add_test(script, redis_level_is_clamped);
    suite_add_tcase(suite, script);

    TCase *away = tcase_create("away");
    tcase_add_checked_fixture(away, setup, teardown);
    tcase_set_timeout(away, 60);
    tcase_add_test(away, redis_readonly_opens_breaker);
    tcase_add_test(away, redis_oom_opens_breaker);
    tcase_add_test(away, redis_eviction_policy_is_told);
    tcase_add_test(away, redis_dead_connections_are_replaced);
    tcase_add_test(away, redis_killed_and_back);
    tcase_add_test(away, redis_survives_under_traffic);
    tcase_add_test(away, redis_stopped_answers_in_time);
    tcase_add_test(away, redis_old_failure_is_ignored);
    tcase_add_test(away, redis_last_connection_opens_breaker);
    tcase_add_test(away, redis_short_deadline_proves_nothing);
    tcase_add_test(away, redis_lets_so_many_wait);
    tcase_add_test(away, redis_works_over_tcp);
    tcase_add_test(away, redis_logs_in_and_selects);
    tcase_add_test(away, redis_password_alone);
    tcase_add_test(away, redis_needs_no_server_to_open);
    tcase_add_test(away, redis_believes_no_odd_answer);
    suite_add_tcase(suite, away);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
