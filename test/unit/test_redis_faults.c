/* What becomes of charges when the server does not answer as it should. */
#include "../support/fake_redis.h"
#include "redis_fixture.h"
#include "run.h"
#include "store/connection.h"
#include "store/pool.h"

START_TEST(redis_faults_readonly_opens_breaker)
{
    char command[64];
    struct charge_outcome outcome;
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

START_TEST(redis_faults_oom_opens_breaker)
{
    struct charge_outcome outcome;
    server_do(&server, "CONFIG SET maxmemory-policy noeviction");
    server_do(&server, "CONFIG SET maxmemory 1mb");
    (void)charge_one("a", 1, &outcome);
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert_int_eq(reports_with("store away: OOM"), 1);
    server_do(&server, "CONFIG SET maxmemory 0");
    ck_assert(await_away(false, 1000));
}
END_TEST

START_TEST(redis_faults_eviction_policy_is_told)
{
    close_redis();
    server_do(&server, "CONFIG SET maxmemory-policy allkeys-lru");
    open_redis();
    ck_assert_int_eq(reports_with("maxmemory-policy allkeys-lru"), 1);
    ck_assert_int_eq(reports.count, 1);
}
END_TEST

START_TEST(redis_faults_dead_connections_are_replaced)
{
    struct charge_outcome outcome;
    for (int i = 0; i < 3; i++) {
        server_do(&server, "CLIENT KILL TYPE normal");
        ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
        ck_assert_int_eq(outcome.left, 1000 - i);
        (void)usleep(200000); /* the reconnector is left alone while it connects */
    }
    ck_assert_int_eq(reports.count, 0);
}
END_TEST

START_TEST(redis_faults_killed_and_back)
{
    struct charge_outcome outcome;
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
        struct charge_outcome outcome;
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
START_TEST(redis_faults_survives_under_traffic)
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
    ck_assert(await_away(true, 2000)); /* three timeouts, one after the other */
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

START_TEST(redis_faults_stopped_answers_in_time)
{
    struct charge_outcome outcome;
    (void)kill(server.pid, SIGSTOP);
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    int64_t first_us = clock_monotonic_us() - start_us;
    ck_assert_int_lt(first_us, (250 + LATE_MS) * 1000);
    ck_assert_int_ge(first_us, 240000);
    ck_assert(!redis_is_away(redis)); /* one silence is a slow reply */
    while (!redis_is_away(redis)) {
        int64_t call_us = clock_monotonic_us();
        ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
        ck_assert_int_lt(clock_monotonic_us() - call_us, (250 + LATE_MS) * 1000);
    }
    ck_assert_int_lt(clock_monotonic_us() - start_us, (4 * 250 + LATE_MS) * 1000);
    start_us = clock_monotonic_us();
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_monotonic_us() - start_us, LATE_MS * 1000);
    (void)kill(server.pid, SIGCONT);
    ck_assert(await_away(false, 2000));
    ck_assert_int_eq(reports_with("store away: no answer in time"), 1);
}
END_TEST

static struct connection *open_connection(void)
{
    const struct connection_address address = {
        .path = server.socket, .username = "", .password = ""};
    struct connection *connection = NULL;
    ck_assert_int_eq(connection_open(&address, soon(), &connection, NULL), STATUS_OK);
    return connection;
}

/* What fails on a connection of before says nothing about those of after. */
START_TEST(redis_faults_old_failure_is_ignored)
{
    struct lease first, second, third;
    struct pool *pool = pool_new(2, reporter);
    ck_assert_int_eq(pool_take(pool, soon(), &first), STATUS_UNAVAILABLE);
    pool_restore(pool, (struct connection *[]){open_connection(), open_connection()}, 2);
    ck_assert_int_eq(pool_take(pool, soon(), &first), STATUS_OK);
    ck_assert_int_eq(pool_take(pool, soon(), &second), STATUS_OK);
    pool_trip(pool, &first, "first");
    ck_assert(pool_is_open(pool));
    pool_restore(pool, (struct connection *[]){open_connection()}, 1);
    pool_trip(pool, &second, "second");
    ck_assert(!pool_is_open(pool));
    ck_assert_int_eq(reports_with("store away: first"), 1);
    ck_assert_int_eq(reports_with("store away: second"), 0);
    ck_assert_int_eq(pool_take(pool, soon(), &third), STATUS_OK);
    pool_give(pool, &third, true);
    pool_free(pool);
}
END_TEST

/* Another microsecond than that of any call before. */
static int64_t later(void)
{
    (void)usleep(10);
    return clock_monotonic_us();
}

/* Silences count when they follow one another, and nothing was heard between them. */
START_TEST(redis_faults_silences_add_up)
{
    enum { WIRES = 8 };
    struct lease leases[WIRES];
    struct connection *connections[WIRES];
    struct pool *pool = pool_new(WIRES, reporter);
    for (int i = 0; i < WIRES; i++)
        connections[i] = open_connection();
    pool_restore(pool, connections, WIRES);
    for (int i = 0; i < WIRES; i++)
        ck_assert_int_eq(pool_take(pool, soon(), &leases[i]), STATUS_OK);
    int64_t asked_us = later();
    for (int i = 0; i < 3; i++) /* at the same time: once */
        pool_miss(pool, &leases[i], asked_us, "late");
    pool_miss(pool, &leases[3], later(), "late");
    ck_assert(!pool_is_open(pool));
    asked_us = later();
    (void)later();
    pool_give(pool, &leases[4], true);
    pool_miss(pool, &leases[5], asked_us, "late"); /* others were answered meanwhile */
    for (int i = 0; i < 2; i++) {
        ck_assert(!pool_is_open(pool));
        pool_miss(pool, &leases[6 + i], later(), "late");
    }
    ck_assert(!pool_is_open(pool));
    pool_lack(pool, false, "refused"); /* an answer, if no friendly one */
    ck_assert(!pool_is_open(pool));
    (void)later();
    ck_assert_int_eq(pool_await_task(pool, 0, 0, INT64_MAX), POOL_CONNECT);
    pool_lack(pool, true, "late");
    ck_assert(pool_is_open(pool));
    ck_assert_int_eq(reports_with("store away: late"), 1);
    pool_free(pool);
}
END_TEST

/* When no new connection can be had, the loss of the last opens the breaker at once. */
START_TEST(redis_faults_last_connection_opens_breaker)
{
    struct lease lease;
    struct pool *pool = pool_new(2, reporter);
    pool_restore(pool, (struct connection *[]){open_connection()}, 1);
    pool_lack(pool, false, "refused");
    ck_assert(!pool_is_open(pool));
    ck_assert_int_eq(pool_take(pool, soon(), &lease), STATUS_OK);
    pool_drop(pool, &lease);
    ck_assert(pool_is_open(pool));
    ck_assert_int_eq(reports_with("store away: refused"), 1);
    pool_free(pool);
}
END_TEST

/* With next to no time left a message can't wait, but nor does it open the breaker. */
START_TEST(redis_faults_short_deadline_proves_nothing)
{
    struct charge charge = make_charge("a", 1);
    struct charge_outcome outcome;
    ck_assert_int_eq(redis_charge(redis, &charge, 1, CHARGE_TAKE, NULL,
                                  clock_monotonic_us() - 1, &outcome),
                     STATUS_UNAVAILABLE);
    ck_assert_int_eq(left_in("a"), 1000);
    (void)kill(server.pid, SIGSTOP);
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(
        redis_charge(redis, &charge, 1, CHARGE_TAKE, NULL, start_us + 20000, &outcome),
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
    struct charge_outcome outcome;
    int64_t start_us = clock_monotonic_us();
    (void)charge_one("a", 1, &outcome);
    waiter->took_us = clock_monotonic_us() - start_us;
    return NULL;
}

/* 64 ask or wait for a connection, the others don't; and those who wait are let go when
 * the first finds that Redis is away. */
START_TEST(redis_faults_lets_so_many_wait)
{
    enum { THREADS = 80 };
    struct waiter waiters[THREADS] = {0};
    int quick = 0;
    close_redis();
    settings.connections = 1 + 4 * _i;
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
    ck_assert_int_eq(quick, THREADS - POOL_WAITERS_MAX);
}
END_TEST

START_TEST(redis_faults_works_over_tcp)
{
    static char host[] = "127.0.0.1";
    struct charge_outcome outcome;
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

START_TEST(redis_faults_logs_in_and_selects)
{
    char path[128], reply[400];
    static char user[] = "brake";
    struct charge_outcome outcome;
    close_redis();
    server_do(&server, "ACL SETUSER brake on >secret ~{mb-test}:* +evalsha +eval +get "
                       "+set +del +time +select");
    write_password(path, sizeof path, "secret\n");
    settings.username = user;
    settings.password_file = path;
    settings.database = 3;
    open_redis();
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert_int_eq(reports_with("evicts keys (NOPERM"), 1);
    ck_assert(reports_await("the Redis user may not run", 1000));
    ck_assert_int_eq(reports_with("the Redis user may not run HGET, HSET, HLEN, HSCAN, "
                                  "HDEL, ZADD, ZREM, ZRANGEBYLEX, ZLEXCOUNT on"),
                     1);
    ck_assert_int_eq(reports.count, 2);
    server_say(&server, "INFO keyspace", reply, sizeof reply);
    ck_assert_ptr_nonnull(strstr(reply, "db3:keys="));
    (void)unlink(path);
}
END_TEST

START_TEST(redis_faults_password_alone)
{
    static char none_set[] = "";
    char path[128];
    struct charge_outcome outcome;
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
    ck_assert_int_eq(reports_with("store.password_file"), 1);
    close_redis();
    settings.password_file = none_set; /* and without one */
    reports_forget();
    open_redis();
    ck_assert_int_eq(reports_with("store away: Redis requires a password, set "
                                  "store.password_file: "),
                     1);
    close_redis();
    settings.password_file = path;
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

START_TEST(redis_faults_needs_no_server_to_open)
{
    struct charge_outcome outcome;
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

/* Answers that are not what the script says, and what is told of them. why NULL: nothing
 * is, since one silence proves nothing. */
static const struct {
    const char *answer, *why;
    bool drip;
} odd_answers[] = {
    {NULL, NULL, false},
    {"*3\r\n:5\r\n:86400000000\r\n:0", NULL, false},
    {"*3\r\n:5\r\n:86400000000\r\n:0\r\n", NULL, true},
    {"+OK\r\n", "unexpected", false},
    {":1\r\n", "unexpected", false},
    {"*0\r\n", "unexpected", false},
    {"*1\r\n:5\r\n", "unexpected", false},
    {"*2\r\n:86400000000\r\n:0\r\n", "unexpected", false}, /* without the time */
    {"*5\r\n:5\r\n:86400000000\r\n:0\r\n:1000\r\n$0\r\n\r\n", "unexpected",
     false}, /* it is no window */
    {"*5\r\n:5\r\n:86400000\r\n:0\r\n:86400000\r\n:0\r\n", "unexpected", false},
    {"*3\r\n:5\r\n:86486400000\r\n:0\r\n", "unexpected", false}, /* 1001 */
    {"*3\r\n:5\r\n:-1\r\n:0\r\n", "unexpected", false},
    {"*3\r\n:-5\r\n:86400000\r\n:0\r\n", "unexpected", false},
    {"*3\r\n:5\r\n:86400000\r\n:1\r\n", "unexpected", false}, /* it has no latch */
    {"*3\r\n:5\r\n:86400000\r\n:-1\r\n", "unexpected", false},
    {"*3\r\n:5\r\n$2\r\n10\r\n:0\r\n", "unexpected", false},
    {"*3\r\n:5\r\n$-1\r\n:0\r\n", "unexpected", false},
    {"$-1\r\n", "unexpected", false},
    {"*-1\r\n", "unexpected", false},
    {"*1000000000\r\n", "memory", false},
    {"*1\r\n*1\r\n:1000\r\n", "memory", false},
    {"HTTP/1.1 400 Bad Request\r\n", "Protocol error", false},
    {"*3\r\n:5\r\n:86400000\r\n:0\r\n:1\r\n", "without a request", false},
    {"-LOADING Redis is loading\r\n", "LOADING", false},
    {"-BUSY Redis is busy\r\n", "BUSY", false},
    {"-MISCONF stop\r\n", "MISCONF", false},
    {"-NOREPLICAS few\r\n", "NOREPLICAS", false},
    {"-NOAUTH who\r\n", "NOAUTH", false},
    {"-WRONGTYPES\r\n", "WRONGTYPES", false},
    {"-NOSCRIPT No matching script\r\n", "NOSCRIPT", false},
    {"-\r\n", "", false},
};

START_TEST(redis_faults_believes_no_odd_answer)
{
    settings.timeout_ms = 100;
    for (size_t i = 0; i < sizeof odd_answers / sizeof *odd_answers; i++) {
        struct fake_redis fake;
        struct charge_outcome outcome;
        close_redis();
        reports_forget();
        fake_open(&fake, odd_answers[i].answer, odd_answers[i].drip);
        settings.path = fake.path;
        open_redis();
        if (redis_is_away(redis)) { /* a busy machine, as in setup */
            ck_assert_msg(await_away(false, 5000), "case %zu: %s", i, reports.texts[0]);
            (void)usleep(50000);
            reports_forget();
        }
        int64_t start_us = clock_monotonic_us();
        ck_assert_msg(charge_one("a", 1, &outcome) == STATUS_UNAVAILABLE, "case %zu", i);
        ck_assert_int_lt(clock_monotonic_us() - start_us, (100 + LATE_MS) * 1000);
        bool told = odd_answers[i].why != NULL;
        ck_assert_msg(redis_is_away(redis) == told, "case %zu", i);
        ck_assert_msg(reports_with("store away: ") == told, "case %zu", i);
        ck_assert_msg(!told || reports_with(odd_answers[i].why), "case %zu: %s", i,
                      reports.texts[0]);
        close_redis();
        fake_close(&fake);
    }
}
END_TEST

/* What is left of a window, for how long it is latched, what it may hold, and its value.
 */
START_TEST(redis_faults_believes_no_odd_window)
{
    static const char *const answers[] = {
        "*3\r\n:5\r\n:1\r\n:0\r\n",
        "*5\r\n:5\r\n:0\r\n:0\r\n:8\r\n$0\r\n\r\n",
        "*5\r\n:5\r\n:10\r\n:0\r\n:9\r\n$0\r\n\r\n",
        "*5\r\n:5\r\n:-1\r\n:0\r\n:9\r\n$0\r\n\r\n",
        "*5\r\n:5\r\n:0\r\n:0\r\n:1500000001\r\n$0\r\n\r\n",
        "*5\r\n:5\r\n:9\r\n:0\r\n:9\r\n:1\r\n",
        "*5\r\n:5\r\n:9\r\n:0\r\n:9\r\n$1\r\nw\r\n",
        "*5\r\n:5\r\n:9\r\n:0\r\n:9\r\n$9\r\nx 0 0 0 0\r\n",
        "*5\r\n:5\r\n:9\r\n:0\r\n:9\r\n$11\r\nw 0 0 0 0 1\r\n",
        "*5\r\n:5\r\n:9\r\n:0\r\n:9\r\n$13\r\nw 0 0 0 0 1:2\r\n"};
    static const struct surge surge = {1500, 9, 60000};
    const struct charge charge = {
        .fingerprint = "window", .subject = "a", .surge = &surge, .cost = 1};
    const size_t count = sizeof answers / sizeof *answers;
    for (size_t i = 0; i < count; i++) {
        struct fake_redis fake;
        struct charge_outcome outcome;
        close_redis();
        fake_open(&fake, answers[i], false);
        settings.path = fake.path;
        open_redis();
        ck_assert_msg(
            redis_charge(redis, &charge, 1, CHARGE_TAKE, NULL, soon(), &outcome) ==
                (i + 1 == count ? STATUS_OK : STATUS_UNAVAILABLE),
            "case %zu", i);
        close_redis();
        fake_close(&fake);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_faults");
    TCase *tcase = tcase_create("redis_faults");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, redis_faults_readonly_opens_breaker);
    tcase_add_test(tcase, redis_faults_oom_opens_breaker);
    tcase_add_test(tcase, redis_faults_eviction_policy_is_told);
    tcase_add_test(tcase, redis_faults_dead_connections_are_replaced);
    tcase_add_test(tcase, redis_faults_killed_and_back);
    tcase_add_test(tcase, redis_faults_survives_under_traffic);
    tcase_add_test(tcase, redis_faults_stopped_answers_in_time);
    tcase_add_test(tcase, redis_faults_old_failure_is_ignored);
    tcase_add_test(tcase, redis_faults_silences_add_up);
    tcase_add_test(tcase, redis_faults_last_connection_opens_breaker);
    tcase_add_test(tcase, redis_faults_short_deadline_proves_nothing);
    tcase_add_loop_test(tcase, redis_faults_lets_so_many_wait, 0, 2);
    tcase_add_test(tcase, redis_faults_works_over_tcp);
    tcase_add_test(tcase, redis_faults_logs_in_and_selects);
    tcase_add_test(tcase, redis_faults_password_alone);
    tcase_add_test(tcase, redis_faults_needs_no_server_to_open);
    tcase_add_test(tcase, redis_faults_believes_no_odd_answer);
    tcase_add_test(tcase, redis_faults_believes_no_odd_window);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
