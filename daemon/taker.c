/* One thread speaks to the store: it takes orders, says that they are being carried out,
 * and writes the answers. The others carry them out, which may take long. */
#include "daemon/taker.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "control/obey.h"
#include "daemon/peers.h"
#include "quarantine/terms.h"
#include "store/orders.h"

enum {
    SLOTS = 4, /* orders at once; others wait in the store, and may lapse */
    TICK_MS = 200,
    STORE_MS = 1000,
    BEAT_US = 2000000,
    PRUNE_US = 60000000,
    REFUSALS_PER_MINUTE = 10,
};

/* How long an answer is tried to be written. */
static const int64_t ANSWER_US = INT64_C(60) * 1000000;

enum slot_state { SLOT_FREE, SLOT_WAITS, SLOT_WORKS, SLOT_DONE };

struct taker {
    struct control_context context;
    pthread_mutex_t mutex; /* guards news, and of slots states, answers and since_us */
    pthread_cond_t taken, done;
    bool news; /* an order was done since the last rest */
    struct slot {
        enum slot_state state;
        struct order order;
        char *answer;
        int64_t since_us; /* of the last beat, or of the answer */
    } slots[SLOTS];
    int64_t refusal_minute;
    int refusals;
};

static int64_t store_deadline_us(void)
{
    return clock_deadline_us(STORE_MS);
}

/* ---- carrying out ---- */

static struct slot *find_slot(struct taker *taker, enum slot_state state)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (taker->slots[i].state == state)
            return &taker->slots[i];
    return NULL;
}

static void *work(void *argument)
{
    struct taker *taker = argument;
    (void)pthread_mutex_lock(&taker->mutex);
    for (;;) {
        struct slot *slot = find_slot(taker, SLOT_WAITS);
        if (slot == NULL) {
            (void)pthread_cond_wait(&taker->taken, &taker->mutex);
            continue;
        }
        slot->state = SLOT_WORKS;
        (void)pthread_mutex_unlock(&taker->mutex);
        char *answer = obey_order(&taker->context, slot->order.text);
        (void)pthread_mutex_lock(&taker->mutex);
        slot->answer = answer;
        slot->state = SLOT_DONE;
        slot->since_us = clock_monotonic_us();
        taker->news = true;
        (void)pthread_cond_signal(&taker->done);
    }
    return NULL;
}

/* ---- the store ---- */

static void set_state(struct taker *taker, struct slot *slot, enum slot_state state)
{
    (void)pthread_mutex_lock(&taker->mutex);
    slot->state = state;
    if (state == SLOT_WAITS)
        (void)pthread_cond_signal(&taker->taken);
    (void)pthread_mutex_unlock(&taker->mutex);
}

static enum slot_state state_of(struct taker *taker, const struct slot *slot)
{
    (void)pthread_mutex_lock(&taker->mutex);
    enum slot_state state = slot->state;
    (void)pthread_mutex_unlock(&taker->mutex);
    return state;
}

static bool wants_beat(struct taker *taker, const struct slot *slot)
{
    (void)pthread_mutex_lock(&taker->mutex);
    bool busy = slot->state == SLOT_WAITS || slot->state == SLOT_WORKS;
    bool due = clock_monotonic_us() > slot->since_us + BEAT_US;
    (void)pthread_mutex_unlock(&taker->mutex);
    return busy && due;
}

/* Without memory for an answer there is none, and who asked is told that. */
static void answer(struct taker *taker, struct slot *slot)
{
    enum status status = STATUS_NOMEM;
    if (slot->answer != NULL)
        status = orders_answer(taker->context.orders, &slot->order, slot->answer,
                               store_deadline_us());
    if (status == STATUS_UNAVAILABLE && clock_monotonic_us() < slot->since_us + ANSWER_US)
        return;
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        log_throttled(SEVERITY_WARNING,
                      "order %s was carried out, but its answer could not be written",
                      slot->order.id);
    free(slot->answer);
    slot->answer = NULL;
    order_clear(&slot->order);
    set_state(taker, slot, SLOT_FREE);
}

/* A beat that fails is one that is missed. */
static void tend(struct taker *taker, struct slot *slot)
{
    if (state_of(taker, slot) == SLOT_DONE) {
        answer(taker, slot);
    } else if (wants_beat(taker, slot)) {
        (void)!orders_beat(taker->context.orders, &slot->order, store_deadline_us());
        (void)pthread_mutex_lock(&taker->mutex);
        if (slot->state != SLOT_DONE)
            slot->since_us = clock_monotonic_us();
        (void)pthread_mutex_unlock(&taker->mutex);
    }
}

/* Whoever can write to the store can write rubbish: it can't fill the disk. */
static void report(struct taker *taker, const struct error *error)
{
    struct error unwritten = {0};
    int64_t minute = clock_monotonic_us() / 60000000;
    const struct audit_entry entry = {.at_ms = clock_wall_ms(),
                                      .uid = (uid_t)-1,
                                      .user = "",
                                      .action = "order",
                                      .target = "",
                                      .purpose = "",
                                      .result = error->text};
    if (taker->refusal_minute != minute)
        taker->refusals = 0;
    taker->refusal_minute = minute;
    if (++taker->refusals > REFUSALS_PER_MINUTE)
        return;
    log_throttled(SEVERITY_WARNING, "%s", error->text);
    if (audit_append(taker->context.audit, &entry, &unwritten) != STATUS_OK)
        log_throttled(SEVERITY_ERROR, "audit: %s", unwritten.text);
}

/* As many as there is room for. */
static void take(struct taker *taker)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct error error = {0};
        struct slot *slot = &taker->slots[i];
        enum status status = STATUS_INVALID;
        if (state_of(taker, slot) != SLOT_FREE)
            continue;
        for (int refused = 0; status == STATUS_INVALID && refused < 100; refused++) {
            status = orders_take(taker->context.orders, clock_wall_ms(),
                                 store_deadline_us(), &slot->order, &error);
            if (status == STATUS_INVALID)
                report(taker, &error);
        }
        if (status != STATUS_OK)
            return;
        slot->since_us = clock_monotonic_us();
        set_state(taker, slot, SLOT_WAITS);
    }
}

/* Until the next tick, or until an order is done. */
static void rest(struct taker *taker)
{
    struct timespec until = clock_timespec(clock_deadline_us(TICK_MS));
    (void)pthread_mutex_lock(&taker->mutex);
    if (!taker->news)
        (void)pthread_cond_timedwait(&taker->done, &taker->mutex, &until);
    taker->news = false;
    (void)pthread_mutex_unlock(&taker->mutex);
}

/* What other relays show of this one: "VERSION RULES KEY HOLDS", holds -1 if unknown. */
static enum status announce(const struct control_context *context)
{
    char facts[ORDERS_FACTS_SIZE], fingerprints[PEERS_FINGERPRINTS_SIZE];
    char term[TERMS_SIZE];
    struct scan scan;
    size_t holds = 0;
    struct snapshot *snapshot = current_snapshot_get(context->snapshots);
    peers_fingerprints(&snapshot->settings->policy, context->key, fingerprints);
    snapshot_unref(snapshot);
    terms_of_host(context->host, term);
    scan_set(&scan, COLLECTION_HOLDS, term, NULL);
    bool known =
        scan_count(context->store, &scan, store_deadline_us(), &holds) == STATUS_OK;
    (void)snprintf(facts, sizeof facts, "%s %s %lld", MAILBRAKE_VERSION, fingerprints,
                   known ? (long long)holds : -1);
    orders_set_facts(context->orders, facts);
    return orders_announce(context->orders, clock_wall_ms(), store_deadline_us());
}

static void *run(void *argument)
{
    struct taker *taker = argument;
    struct orders *orders = taker->context.orders;
    int64_t announce_us = 0, prune_us = clock_monotonic_us() + PRUNE_US;
    for (;;) {
        int64_t now_us = clock_monotonic_us();
        if (now_us >= announce_us && announce(&taker->context) == STATUS_OK)
            announce_us = now_us + ORDERS_ANNOUNCE_MS * INT64_C(1000);
        for (size_t i = 0; i < SLOTS; i++)
            tend(taker, &taker->slots[i]);
        take(taker);
        if (now_us >= prune_us) {
            prune_us = now_us + PRUNE_US;
            (void)!orders_prune(orders, clock_wall_ms(), store_deadline_us());
        }
        rest(taker);
    }
    return NULL;
}

enum status taker_start(const struct control_context *context, struct error *error)
{
    static struct taker taker; /* of the one daemon in this process */
    pthread_condattr_t monotonic;
    taker = (struct taker){.context = *context};
    (void)pthread_mutex_init(&taker.mutex, NULL);
    (void)pthread_cond_init(&taker.taken, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&taker.done, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    /* So that it is known before it is said to be ready. Without the store, later. */
    (void)!announce(context);
    enum status status = worker_start("orders", run, &taker, NULL, error);
    for (size_t i = 0; i < SLOTS && status == STATUS_OK; i++)
        status = worker_start("order", work, &taker, NULL, error);
    return status;
}
