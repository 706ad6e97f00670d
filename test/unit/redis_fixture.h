/* A private redis-server, and short words for charges in it. */
#ifndef TEST_UNIT_REDIS_FIXTURE_H
#define TEST_UNIT_REDIS_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "../support/redis_server.h"
#include "../support/reports.h"
#include "base/clock.h"
#include "store/redis.h"

/* 50 ms are promised; the rest is for a busy machine. */
enum { LATE_MS = 150 };

static struct server server;
static struct store_settings settings;
static struct redis *redis;
static struct digest_key key;

static inline void open_redis(void)
{
    struct error error = {0};
    ck_assert_msg(redis_open(&settings, &key, reporter, &redis, &error) == STATUS_OK,
                  "%s", error.text);
}

static inline void close_redis(void)
{
    redis_close(redis);
    redis = NULL;
}

static inline void setup_server(void)
{
    reports_forget();
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    server_open(&server, NULL, NULL);
    settings = reports_settings(server.socket);
}

static inline void setup(void)
{
    setup_server();
    open_redis();
    for (int i = 0; i < 500 && redis_is_away(redis); i++)
        (void)usleep(10000); /* a busy machine may pass the first answer's time-out */
    ck_assert(!redis_is_away(redis));
}

static inline void teardown(void)
{
    close_redis();
    server_close(&server);
}

static inline int64_t soon(void)
{
    return clock_monotonic_us() + 10000000;
}

/* 1000 a day are refilled one in 86 s: none during a test. */
static inline struct charge make_charge(const char *subject, int64_t cost)
{
    static const struct rate rate = {1000, INT64_C(86400000), 1000};
    return (struct charge){
        .fingerprint = "rule", .subject = subject, .rate = &rate, .cost = cost};
}

static inline enum status charge_one(const char *subject, int64_t cost,
                                     struct charge_outcome *out)
{
    struct charge charge = make_charge(subject, cost);
    return redis_charge(redis, &charge, 1, CHARGE_TAKE, NULL, soon(), out);
}

static inline int64_t left_in(const char *subject)
{
    struct charge charge = make_charge(subject, 0);
    struct charge_outcome outcome = {.left = -1};
    ck_assert_int_eq(redis_charge(redis, &charge, 1, CHARGE_PEEK, NULL, soon(), &outcome),
                     STATUS_OK);
    return outcome.left;
}

static inline void key_of(const char *subject, char *out, size_t size)
{
    char hash[DIGEST_HEX_SIZE];
    digest_hex(&key, subject, strlen(subject), hash);
    (void)snprintf(out, size, "{mb-test}:b:rule:%s", hash);
}

static inline bool await_away(bool away, int ms)
{
    for (int i = 0; i < ms / 5 && redis_is_away(redis) != away; i++)
        (void)usleep(5000);
    return redis_is_away(redis) == away;
}

#endif
