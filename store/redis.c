/* What callers and the reconnector do with Redis. A caller asks over a connection that is
 * ready; all connecting, probing and waiting for better times is the reconnector's. */
#include "store/redis.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/worker.h"
#include "store/batch.h"
#include "store/charge_call.h"
#include "store/connection.h"
#include "store/pool.h"
#include "store/trial.h"

enum {
    PROBE_EVERY_MS = 250,
    CONNECT_MIN_MS = 250, /* a connection may take longer than a charge */
    CONNECT_MAX_MS = 1000,
    FILL_MAX_MS = 100,    /* spent on more connections before the breaker closes */
    COMPLAINT_MS = 10000, /* how long a refusal stands; brakes are read far more often */
};

struct redis {
    const struct store_settings *settings;
    struct digest_key key;
    char all[DIGEST_HEX_SIZE]; /* the hash of the subject "all" */
    struct store_reporter reporter;
    struct connection_address address;
    char password[SECRET_SIZE];
    struct pool *pool;
    struct batch_queue *batches;
    pthread_t reconnector;
    bool reconnector_runs;
    bool reported_trial,
        reported_blind; /* the reconnector has said what the user may not do */

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

/* Runs all that a charge may run on a bucket of its own, and leaves nothing behind. Its
 * key begins as those of buckets do, so an ACL that forbids them is seen here. */
static enum status probe(struct redis *redis, struct connection *connection,
                         struct error *error)
{
    static const struct rate rate = {1000, 1000, 1000};
    const struct charge charge = {.rate = &rate, .cost = 1};
    const struct charge_order order = {
        .script = &scripts_charge, .mode = "probe", .charges = &charge, .count = 1};
    struct charge_outcome outcome;
    struct text key = {0};
    int timeout_ms = redis->settings->timeout_ms;
    enum status status = STATUS_NOMEM;
    struct charge_call *call = charge_call_new(&order);
    if (timeout_ms > CONNECT_MAX_MS)
        timeout_ms = CONNECT_MAX_MS;
    text_printf(&key, "{%s}:b:probe", redis->settings->prefix);
    if (call != NULL && !key.failed) {
        charge_call_add_key(call, key.data);
        status = charge_call_run(call, connection, after_ms(timeout_ms), &outcome, error);
    }
    text_clear(&key);
    charge_call_free(call);
    return status;
}

/* Reports the commands that Redis refuses, once until all are allowed. */
static void try_commands(struct redis *redis, struct connection *connection)
{
    struct trial trial = {0};
    bool whole =
        trial_run(connection, redis->settings->prefix, after_ms(CONNECT_MAX_MS), &trial);
    if (trial.text[0] != '\0' && !redis->reported_trial)
        report(redis, trial.text);
    if (whole)
        redis->reported_trial = trial.text[0] != '\0';
}

/* A new connection over which a charge was seen to work. */
static enum status open_connection(struct redis *redis,
                                   struct connection **out_connection,
                                   struct error *error)
{
    struct connection *connection = NULL;
    int timeout_ms = redis->settings->timeout_ms;
    if (timeout_ms < CONNECT_MIN_MS)
        timeout_ms = CONNECT_MIN_MS;
    if (timeout_ms > CONNECT_MAX_MS)
        timeout_ms = CONNECT_MAX_MS;
    enum status status =
        connection_open(&redis->address, after_ms(timeout_ms), &connection, error);
    if (status == STATUS_OK) {
        status = probe(redis, connection, error);
        if (status == STATUS_UNAVAILABLE && pool_is_open(redis->pool))
            try_commands(redis, connection); /* one that is refused may be why */
    }
    if (status == STATUS_NOMEM)
        (void)error_set(error, status, "out of memory");
    if (status != STATUS_OK) {
        connection_free(connection);
        return status;
    }
    *out_connection = connection;
    return STATUS_OK;
}

/* Warns when Redis would evict buckets, which refills them in silence, or when that can't
 * be seen. False when the connection died. */
static bool check_eviction(struct redis *redis, struct connection *connection)
{
    const char *words[] = {"CONFIG", "GET", "maxmemory-policy"};
    const size_t lengths[] = {6, 3, 16};
    const struct connection_command command = {
        .count = 3, .words = words, .lengths = lengths};
    redisReply *reply = NULL;
    char text[240];
    if (connection_ask(connection, &command, after_ms(CONNECT_MAX_MS), &reply, NULL) !=
        STATUS_OK)
        return false;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[1]->type == REDIS_REPLY_STRING &&
        strcmp(reply->element[1]->str, "noeviction") != 0) {
        (void)snprintf(text, sizeof text,
                       "Redis has maxmemory-policy %.40s and may refill buckets by "
                       "evicting them: set noeviction",
                       reply->element[1]->str);
        report(redis, text);
    } else if (reply->type == REDIS_REPLY_ERROR && !redis->reported_blind) {
        (void)snprintf(text, sizeof text,
                       "can't check whether Redis evicts keys (%.90s): make sure that "
                       "maxmemory-policy is noeviction",
                       reply->str);
        report(redis, text);
    }
    redis->reported_blind = reply->type == REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    return true;
}

/* Opens the connections, at least one, with which the breaker closes. The rest are
 * missing ones then, when connecting takes long. */
static int fill(struct redis *redis, struct connection **connections, struct error *error)
{
    int count = 0;
    int64_t until_us = after_ms(FILL_MAX_MS);
    if (open_connection(redis, &connections[count], error) != STATUS_OK)
        return 0;
    count++;
    if (!check_eviction(redis, connections[0])) {
        connection_free(connections[0]);
        (void)error_set(error, STATUS_IO, "no answer to CONFIG GET");
        return 0;
    }
    while (count < redis->settings->connections && clock_left_ms(until_us) > 0 &&
           open_connection(redis, &connections[count], error) == STATUS_OK)
        count++;
    return count;
}

static void probe_away(struct redis *redis, struct connection **connections)
{
    struct error error = {0};
    int count = fill(redis, connections, &error);
    if (count > 0) {
        struct connection *connection = NULL;
        pool_restore(redis->pool, connections, count);
        /* Over one more, since mail waits for nothing that is only looked at. */
        if (connection_open(&redis->address, after_ms(CONNECT_MAX_MS), &connection,
                            &error) == STATUS_OK)
            try_commands(redis, connection);
        connection_free(connection);
    } else {
        pool_stay_open(redis->pool, error.text);
    }
}

static bool add_connection(struct redis *redis)
{
    struct error error = {0};
    struct connection *connection = NULL;
    enum status status = open_connection(redis, &connection, &error);
    if (status != STATUS_OK) {
        pool_lack(redis->pool, status == STATUS_IO, error.text);
        return false;
    }
    pool_add(redis->pool, connection);
    return true;
}

static void *keep(void *context)
{
    struct redis *redis = context;
    struct connection **connections =
        calloc((size_t)redis->settings->connections, sizeof(struct connection *));
    int64_t probe_us = 0;
    int64_t connect_us = 0;
    if (connections == NULL) {
        pool_stay_open(redis->pool, "out of memory");
        return NULL;
    }
    for (;;) {
        enum pool_task task = pool_await_task(redis->pool, probe_us, connect_us);
        int64_t started_us = clock_monotonic_us();
        if (task == POOL_STOP)
            break;
        if (task == POOL_PROBE) {
            probe_away(redis, connections);
            probe_us = started_us + PROBE_EVERY_MS * INT64_C(1000);
        } else {
            connect_us =
                add_connection(redis) ? 0 : started_us + PROBE_EVERY_MS * INT64_C(1000);
        }
    }
    free(connections);
    return NULL;
}

static enum status start_reconnector(struct redis *redis, struct error *error)
{
    enum status status =
        worker_start("reconnector", keep, redis, &redis->reconnector, error);
    redis->reconnector_runs = status == STATUS_OK;
    return status;
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
    redis->address = (struct connection_address){.host = settings->host,
                                                 .port = settings->port,
                                                 .path = settings->path,
                                                 .username = settings->username,
                                                 .password = redis->password,
                                                 .database = settings->database};
    enum status status = STATUS_OK;
    if (settings->password_file[0] != '\0')
        status = secret_read(settings->password_file, redis->password, error);
    if (status == STATUS_OK) {
        redis->pool = pool_new(settings->connections, reporter);
        redis->batches =
            batch_queue_new(redis->pool, settings->connections, settings->timeout_ms);
        status = redis->pool == NULL || redis->batches == NULL
                     ? STATUS_NOMEM
                     : start_reconnector(redis, error);
    }
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
    if (redis->reconnector_runs) {
        pool_stop(redis->pool);
        (void)pthread_join(redis->reconnector, NULL);
    }
    batch_queue_free(redis->batches);
    pool_free(redis->pool);
    (void)pthread_mutex_destroy(&redis->mutex);
    explicit_bzero(redis->password, sizeof redis->password);
    free(redis);
}

/* Ends a lease by how its job, begun at asked_us, went; -1: a silence proves nothing.
 */
static void settle(struct redis *redis, const struct lease *lease, enum status status,
                   int64_t asked_us, const char *why)
{
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
    settle(redis, &lease, status, hurried ? -1 : start_us, error.text);
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

/* window: what is shown; NULL: it is an amendment. */
struct charge_job {
    struct charge_call *call;
    struct window *window;
};

static enum status run_charge(void *context, struct connection *connection,
                              int64_t deadline_us, struct error *error)
{
    const struct charge_job *job = context;
    if (job->window != NULL)
        return charge_call_show(job->call, connection, deadline_us, job->window, error);
    return charge_call_amend(job->call, connection, deadline_us, error);
}

static enum status run_order(struct redis *redis, const struct charge_order *order,
                             int64_t deadline_us, struct window *out_window)
{
    struct charge_job charge = {make_call(redis, order), out_window};
    if (charge.call == NULL)
        return STATUS_NOMEM;
    enum status status =
        redis_run(redis, &(struct redis_job){run_charge, &charge}, deadline_us);
    charge_call_free(charge.call);
    return status;
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
    enum status status =
        batch_charge(redis->batches, call, deadline_us, out_outcomes, &error);
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

bool redis_is_away(struct redis *redis)
{
    return pool_is_open(redis->pool);
}
