/* What callers and the reconnector do with Redis. A caller asks over a connection that is
 * ready; all connecting, probing and waiting for better times is the reconnector's. */
#include "store/redis.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/batch.h"
#include "store/charge_call.h"
#include "store/connection.h"
#include "store/epoch/epoch.h"
#include "store/pool.h"
#include "store/reconnector.h"

enum {
    MOVING_PAUSE_US = 2000,
    COMPLAINT_MS = 10000, /* how long a refusal stands; brakes are read far more often */
};

struct redis {
    const struct store_settings *settings;
    struct digest_key key;
    char all[DIGEST_HEX_SIZE]; /* the hash of the subject "all" */
    struct store_reporter reporter;
    struct pool *pool;
    struct detour *detour; /* NULL: no Cluster */
    struct batch_queue *batches;
    struct epoch *epoch;
    struct reconnector *reconnector;

    pthread_mutex_t mutex; /* of the two below; a leaf */
    char complaint[STORE_COMPLAINT_SIZE];
    int64_t complained_us;
};

static int64_t after_ms(int64_t ms)
{
    return clock_monotonic_us() + ms * 1000;
}

static void report(const struct redis *redis, const char *text)
{
    redis->reporter.report(redis->reporter.context, SEVERITY_WARNING, text);
}

enum status redis_open(const struct store_settings *settings,
                       const struct digest_key *key, struct store_reporter reporter,
                       struct redis **out_redis, struct error *error)
{
    struct redis *redis = calloc(1, sizeof *redis);
    if (redis == NULL)
        return STATUS_NOMEM;
    redis->settings = settings;
    redis->key = *key;
    digest_hex(key, "all", strlen("all"), redis->all);
    redis->reporter = reporter;
    (void)pthread_mutex_init(&redis->mutex, NULL);
    redis->pool = pool_new(settings->connections, reporter);
    redis->batches =
        batch_queue_new(redis->pool, settings->connections, settings->timeout_ms);
    redis->epoch = epoch_new(settings->prefix, &redis->key, reporter);
    bool is_cluster = settings->seeds.count > 0;
    if (is_cluster && redis->pool != NULL)
        redis->detour = detour_new(redis->pool);
    enum status status = STATUS_NOMEM;
    const struct reconnector_parts parts = {
        .pool = redis->pool, .detour = redis->detour, .epoch = redis->epoch};
    if (redis->pool != NULL && redis->batches != NULL && redis->epoch != NULL &&
        (!is_cluster || redis->detour != NULL))
        status =
            reconnector_start(settings, &parts, reporter, &redis->reconnector, error);
    if (status != STATUS_OK) {
        redis_close(redis);
        return status;
    }
    pool_await_first(redis->pool, after_ms(settings->timeout_ms));
    *out_redis = redis;
    return STATUS_OK;
}

void redis_close(struct redis *redis)
{
    if (redis == NULL)
        return;
    reconnector_stop(redis->reconnector);
    batch_queue_free(redis->batches);
    epoch_free(redis->epoch);
    detour_free(redis->detour);
    pool_free(redis->pool);
    (void)pthread_mutex_destroy(&redis->mutex);
    free(redis);
}

/* Ends a lease by how its job, begun at asked_us, went; -1: a silence proves nothing.
 */
static void settle(struct redis *redis, const struct lease *lease, enum status status,
                   int64_t asked_us, const char *why)
{
    if (connection_has_moved(lease->connection)) {
        pool_trip(redis->pool, lease, why);
        return;
    }
    switch (status) {
    case STATUS_OK:
    case STATUS_NOT_FOUND:
    case STATUS_CONFLICT:
    case STATUS_LIMIT:
    case STATUS_INVALID:
        pool_give(redis->pool, lease, true);
        break;
    case STATUS_NOMEM:
        pool_drop(redis->pool, lease);
        break;
    case STATUS_IO:
        pool_miss(redis->pool, lease, asked_us, why);
        break;
    case STATUS_UNAVAILABLE:
        pool_trip(redis->pool, lease, why);
    }
}

/* What Redis would not do though it answered, for the log and for `status`. */
static void complain(struct redis *redis, const char *text)
{
    (void)pthread_mutex_lock(&redis->mutex);
    (void)snprintf(redis->complaint, sizeof redis->complaint, "%.299s", text);
    redis->complained_us = clock_monotonic_us();
    (void)pthread_mutex_unlock(&redis->mutex);
    report(redis, text);
}

bool redis_complaint(struct redis *redis, char *out, size_t size)
{
    (void)pthread_mutex_lock(&redis->mutex);
    bool recent =
        redis->complaint[0] != '\0' && redis->complained_us >= after_ms(-COMPLAINT_MS);
    if (recent)
        (void)snprintf(out, size, "%s", redis->complaint);
    (void)pthread_mutex_unlock(&redis->mutex);
    return recent;
}

enum status redis_run(struct redis *redis, const struct redis_job *job,
                      int64_t deadline_us)
{
    struct lease lease;
    struct error error = {0};
    if (pool_take(redis->pool, deadline_us, &lease) != STATUS_OK)
        return STATUS_UNAVAILABLE;
    int64_t start_us = clock_monotonic_us();
    if (start_us >= deadline_us) {
        pool_give(redis->pool, &lease, false);
        return STATUS_UNAVAILABLE;
    }
    enum status status = job->run(job->context, lease.connection, deadline_us, &error);
    /* A caller that came with little time left proves nothing about Redis. */
    bool hurried = clock_monotonic_us() >= deadline_us &&
                   deadline_us - start_us < redis->settings->timeout_ms * INT64_C(500);
    bool moved = connection_has_moved(lease.connection);
    settle(redis, &lease, status, hurried ? -1 : start_us, error.text);
    if (moved)
        return STATUS_UNAVAILABLE;
    if (status == STATUS_INVALID)
        complain(redis, error.text);
    bool unanswered = status == STATUS_INVALID || status == STATUS_IO;
    return unanswered ? STATUS_UNAVAILABLE : status;
}

/* The charge before this one that is of the same subject, whose hash is the same; or it.
 */
static size_t first_of_subject(const struct charge *charges, size_t i)
{
    enum { LOOK_BACK = 4 };
    for (size_t n = 1; n <= LOOK_BACK && n <= i; n++)
        if (strcmp(charges[i - n].subject, charges[i].subject) == 0)
            return i - n;
    return i;
}

/* Where a rule has key = "all", every message has that subject. */
static void hash_subject(const struct redis *redis, const char *subject,
                         char out[DIGEST_HEX_SIZE])
{
    if (strcmp(subject, "all") == 0)
        memcpy(out, redis->all, sizeof redis->all);
    else
        digest_hex(&redis->key, subject, strlen(subject), out);
}

/* The keys of an order are {prefix}:b:<fingerprint>:<hash>. NULL without memory. */
static struct charge_call *make_call(const struct redis *redis,
                                     const struct charge_order *order)
{
    const struct charge *charges = order->charges;
    struct charge_call *call = charge_call_new(order);
    char(*hashes)[DIGEST_HEX_SIZE] = malloc(order->count * sizeof *hashes);
    char buffer[200];
    struct text key = text_on(buffer, sizeof buffer);
    bool whole = call != NULL && hashes != NULL;
    for (size_t i = 0; i < order->count && whole; i++) {
        size_t first = first_of_subject(charges, i);
        if (first < i)
            memcpy(hashes[i], hashes[first], sizeof *hashes);
        else
            hash_subject(redis, charges[i].subject, hashes[i]);
        text_reset(&key);
        text_add(&key, "{", 1);
        text_add_string(&key, redis->settings->prefix);
        text_add_string(&key, "}:b:");
        text_add_string(&key, charges[i].fingerprint);
        text_add(&key, ":", 1);
        text_add_string(&key, hashes[i]);
        whole = !key.failed;
        if (whole)
            charge_call_add_key(call, key.data);
    }
    free(hashes);
    text_clear(&key);
    if (whole)
        return call;
    charge_call_free(call);
    return NULL;
}

/* outcomes: of a charge; window: what is shown; both NULL: it is an amendment. */
struct charge_job {
    struct charge_call *call;
    struct charge_outcome *outcomes;
    struct window *window;
    bool again; /* it was not run, since the store moves */
};

static enum status run_charge(void *context, struct connection *connection,
                              int64_t deadline_us, struct error *error)
{
    struct charge_job *job = context;
    enum status status;
    if (job->outcomes != NULL)
        status =
            charge_call_run(job->call, connection, deadline_us, job->outcomes, error);
    else if (job->window != NULL)
        status = charge_call_show(job->call, connection, deadline_us, job->window, error);
    else
        status = charge_call_amend(job->call, connection, deadline_us, error);
    job->again = status == STATUS_CONFLICT || connection_has_moved(connection);
    return status;
}

/* Again until the deadline while the store moves. */
static enum status run_alone(struct redis *redis, struct charge_job *job,
                             int64_t deadline_us)
{
    for (;;) {
        job->again = false;
        enum status status =
            redis_run(redis, &(struct redis_job){run_charge, job}, deadline_us);
        if (!job->again)
            return status;
        if (clock_monotonic_us() + MOVING_PAUSE_US >= deadline_us)
            break;
        (void)usleep(MOVING_PAUSE_US);
    }
    complain(redis, "the Cluster moves our keys; what needs several of them is answered "
                    "once they have moved");
    return STATUS_UNAVAILABLE;
}

static enum status run_order(struct redis *redis, const struct charge_order *order,
                             int64_t deadline_us, struct window *out_window)
{
    struct charge_job charge = {.call = make_call(redis, order), .window = out_window};
    if (charge.call == NULL)
        return STATUS_NOMEM;
    enum status status = run_alone(redis, &charge, deadline_us);
    charge_call_free(charge.call);
    return status;
}

struct epoch_job {
    struct epoch *epoch;
    bool lost;
};

static enum status run_look(void *context, struct connection *connection,
                            int64_t deadline_us, struct error *error)
{
    struct epoch_job *job = context;
    enum status status = epoch_look(job->epoch, connection, deadline_us, error);
    job->lost = status == STATUS_CONFLICT && connection_has_moved(connection);
    return status;
}

static enum status run_tick(void *context, struct connection *connection,
                            int64_t deadline_us, struct error *error)
{
    return epoch_tick(context, connection, deadline_us, error);
}

enum status redis_poll(struct redis *redis, int64_t deadline_us)
{
    return redis_run(redis, &(struct redis_job){run_tick, redis->epoch}, deadline_us);
}

/* Whether it is still the store of the epoch of that number. UNAVAILABLE. */
static enum status compare_epoch(struct redis *redis, uint64_t number,
                                 int64_t deadline_us, bool *out_same)
{
    struct epoch_job job = {.epoch = redis->epoch};
    enum status status = STATUS_OK;
    if (epoch_number(redis->epoch) == number)
        status = redis_run(redis, &(struct redis_job){run_look, &job}, deadline_us);
    *out_same = !job.lost && epoch_number(redis->epoch) == number;
    return job.lost ? STATUS_OK : status;
}

/* Keeps what Redis answered to a call that was made in the epoch of that number. What has
 * more than it can have was changed by hand, or the store has lost its data: then the
 * answer is worth nothing, and once what was seen is written back, the call is run again.
 */
static enum status verify(struct redis *redis, struct charge_call *call,
                          enum charge_mode mode, uint64_t number, int64_t deadline_us,
                          struct charge_outcome *out_outcomes)
{
    struct last_seen *seen = epoch_last_seen(redis->epoch);
    struct charge_job job = {.call = call, .outcomes = out_outcomes};
    enum status status = STATUS_OK;
    while (status == STATUS_OK &&
           !last_seen_note(seen, call, out_outcomes, mode, false, clock_monotonic_us())) {
        bool same = false;
        status = compare_epoch(redis, number, deadline_us, &same);
        if (status == STATUS_OK && same) {
            (void)last_seen_note(seen, call, out_outcomes, mode, true,
                                 clock_monotonic_us());
            break;
        }
        if (status != STATUS_OK)
            break;
        number = epoch_number(redis->epoch);
        status = run_alone(redis, &job, deadline_us);
    }
    /* Perhaps it was forgotten before it was kept here, and is not written back. */
    if (status == STATUS_OK && epoch_number(redis->epoch) != number)
        last_seen_owe_call(seen, call, out_outcomes, mode, clock_monotonic_us());
    return status;
}

struct last_seen *redis_last_seen(struct redis *redis)
{
    return epoch_last_seen(redis->epoch);
}

enum status redis_charge(struct redis *redis, const struct charge *charges, size_t count,
                         enum charge_mode mode, const int64_t *carried,
                         int64_t deadline_us, struct charge_outcome *out_outcomes)
{
    static const char *const modes[] = {
        [CHARGE_PEEK] = "peek", [CHARGE_LATCH] = "latch", [CHARGE_TAKE] = "take"};
    const struct charge_order order = {.script = &scripts_charge,
                                       .mode = modes[mode],
                                       .charges = charges,
                                       .count = count,
                                       .key = &redis->key,
                                       .carried = carried};
    struct error error = {0};
    int64_t timeout_us = after_ms(redis->settings->timeout_ms);
    if (timeout_us < deadline_us)
        deadline_us = timeout_us;
    if (pool_is_open(redis->pool))
        return STATUS_UNAVAILABLE;
    struct charge_call *call = make_call(redis, &order);
    if (call == NULL)
        return STATUS_NOMEM;
    uint64_t number = epoch_number(redis->epoch);
    enum status status =
        batch_charge(redis->batches, call, deadline_us, out_outcomes, &error);
    if (status == STATUS_CONFLICT) {
        struct charge_job job = {.call = call, .outcomes = out_outcomes};
        status = run_alone(redis, &job, deadline_us);
    }
    if (status == STATUS_OK && mode != CHARGE_PEEK)
        status = verify(redis, call, mode, number, deadline_us, out_outcomes);
    charge_call_free(call);
    if (status != STATUS_INVALID)
        return status;
    complain(redis, error.text);
    return STATUS_UNAVAILABLE;
}

enum status redis_amend(struct redis *redis, const struct charge *charges, size_t count,
                        enum amend what, int64_t deadline_us)
{
    static const char *const modes[] = {
        [AMEND_RESET] = "reset", [AMEND_UNLATCH] = "unlatch", [AMEND_TRAIN] = "train"};
    const struct charge_order order = {.script = &scripts_amend,
                                       .mode = modes[what],
                                       .charges = charges,
                                       .count = count,
                                       .key = &redis->key};
    if (what != AMEND_TRAIN)
        last_seen_forget(epoch_last_seen(redis->epoch), charges, count);
    return run_order(redis, &order, deadline_us, NULL);
}

enum status redis_window(struct redis *redis, const struct charge *charge,
                         int64_t deadline_us, struct window *out)
{
    const struct charge_order order = {
        .script = &scripts_amend, .mode = "show", .charges = charge, .count = 1};
    return run_order(redis, &order, deadline_us, out);
}

const char *redis_prefix(const struct redis *redis)
{
    return redis->settings->prefix;
}

bool redis_describe(struct redis *redis, char *out, size_t size)
{
    return reconnector_describe(redis->reconnector, out, size);
}

bool redis_why(struct redis *redis, char *out, size_t size)
{
    return pool_why(redis->pool, out, size);
}

struct store_silences redis_silences(struct redis *redis)
{
    return pool_silences(redis->pool);
}

bool redis_is_away(struct redis *redis)
{
    return pool_is_open(redis->pool);
}
