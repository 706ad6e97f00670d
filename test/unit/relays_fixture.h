/* Two relays, a and b, that share one Redis. */
#ifndef TEST_RELAYS_FIXTURE_H
#define TEST_RELAYS_FIXTURE_H

#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "../support/redis_server.h"
#include "../support/reports.h"
#include "base/clock.h"
#include "store/store.h"

static struct server server;
static struct store_settings settings;
static struct digest_key key;
static struct store *a, *b;

static inline struct store *open_store(void)
{
    struct store *store = NULL;
    struct error error = {0};
    ck_assert_msg(store_open(&settings, &key, reporter, &store, &error) == STATUS_OK,
                  "%s", error.text);
    return store;
}

static inline int64_t soon(void)
{
    return clock_monotonic_us() + 10000000;
}

static inline void open_relays(int nodes, int timeout_ms)
{
    reports_forget();
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    server_open(&server, NULL, NULL);
    settings = reports_settings(server.socket);
    settings.nodes = nodes;
    settings.timeout_ms = timeout_ms;
    a = open_store();
    b = open_store();
}

static inline void teardown(void)
{
    (void)kill(server.pid, SIGCONT);
    store_close(a);
    store_close(b);
    server_close(&server);
}

static inline struct charge_outcome ask(struct store *store, struct charge charge,
                                        enum charge_mode mode, enum charge_source wanted)
{
    struct charge_outcome outcome = {.left = -1};
    enum charge_source source = CHARGE_SOURCE_NONE;
    ck_assert_int_eq(store_charge(store, &charge, 1, mode, soon(), &outcome, &source),
                     STATUS_OK);
    ck_assert_int_eq(source, wanted);
    return outcome;
}

static inline void await_state(struct store *store, enum store_state state)
{
    for (int i = 0; i < 2000 && store_state(store) != state; i++)
        (void)usleep(5000);
    ck_assert_int_eq(store_state(store), state);
}

#endif
