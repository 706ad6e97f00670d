/* A store in memory, or in a private redis-server: the same tests run against both. */
#ifndef TEST_SUPPORT_EITHER_STORE_H
#define TEST_SUPPORT_EITHER_STORE_H

#include "base/clock.h"
#include "redis_server.h"
#include "reports.h"

static struct server server;
static struct store *store;
static struct digest_key key;
static bool shared; /* it is Redis */

static inline void either_open(bool redis)
{
    struct error error = {0};
    char *path = NULL;
    shared = redis;
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    if (redis) {
        server_open(&server, NULL, NULL);
        path = server.socket;
    }
    struct store_settings settings = reports_settings(path);
    settings.type = redis ? STORE_TYPE_REDIS : STORE_TYPE_MEMORY;
    settings.timeout_ms = 1000;
    ck_assert_msg(store_open(&settings, &key, reporter, &store, &error) == STATUS_OK,
                  "%s", error.text);
    ck_assert_int_eq(store_state(store), STORE_STATE_OK);
}

static inline void either_close(void)
{
    store_close(store);
    store = NULL;
    if (shared)
        server_close(&server);
}

/* Long enough for a busy machine. */
static inline int64_t either_soon(void)
{
    return clock_monotonic_us() + 20 * INT64_C(1000000);
}

#endif
