/* What a Redis that lost its data is given back, by two relays that share it. */
#ifndef TEST_EPOCH_FIXTURE_H
#define TEST_EPOCH_FIXTURE_H

#include "relays_fixture.h"
#include "store/charge_call.h"
#include "store/epoch/epoch.h"

enum { HOUR_MS = 3600000, SIZE = 300 };

static const struct rate rate = {1, RATE_PERIOD_MAX_MS, SIZE};
static const struct rate once = {1, INT64_C(86400000), 1};
static const struct surge surge = {2000, 400, INT64_C(86400000)};
static const struct rate three = {3, INT64_C(86400000), 3};

/* For the first: mailbraked does it four times a second. */
static inline void poll_both(void)
{
    (void)!store_poll(a, soon());
    (void)!store_poll(b, soon());
}

static inline void setup(void)
{
    open_relays(2, 500);
    ck_assert_int_eq(store_state(a), STORE_STATE_OK);
    ck_assert_int_eq(store_state(b), STORE_STATE_OK);
    poll_both();
}

static inline struct charge bucket(const char *subject, int64_t cost)
{
    return (struct charge){
        .fingerprint = "bucket", .subject = subject, .rate = &rate, .cost = cost};
}

static inline struct charge latched(const char *subject, int64_t cost)
{
    struct charge charge = bucket(subject, cost);
    charge.latch_ms = HOUR_MS;
    return charge;
}

static inline struct charge window(const char *subject, int64_t cost)
{
    return (struct charge){
        .fingerprint = "window", .subject = subject, .surge = &surge, .cost = cost};
}

static inline struct charge client(const char *subject, const char *name)
{
    return (struct charge){.fingerprint = "clients",
                           .subject = subject,
                           .rate = &three,
                           .clients = true,
                           .client = name,
                           .cost = name != NULL};
}

static inline bool passes(struct store *store, struct charge charge)
{
    return ask(store, charge, CHARGE_TAKE, CHARGE_SOURCE_REDIS).fits;
}

static inline int64_t left(struct store *store, struct charge charge)
{
    charge.cost = 0;
    return ask(store, charge, CHARGE_PEEK, CHARGE_SOURCE_REDIS).left;
}

/* Time passes, for an answer of the same instant proves nothing. */
static inline void flush(void)
{
    (void)usleep(3000);
    server_do(&server, "FLUSHALL");
}

/* The key of a bucket. */
static inline void print_key(const char *subject, char out[100])
{
    char hash[DIGEST_HEX_SIZE];
    digest_hex(&key, subject, strlen(subject), hash);
    (void)snprintf(out, 100, "{mb-test}:b:bucket:%s", hash);
}

/* Of the subject "new". */
static inline void charge_over(struct connection *connection, struct epoch *epoch)
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

#endif
