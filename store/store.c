/* The front: a message is decided by the configured store, or wholly by on_failure, never
 * half here and half there. */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/worker.h"
#include "store/backends.h"
#include "store/charge_call.h"
#include "store/documents_memory.h"
#include "store/local.h"
#include "store/redis.h"
#include "store/state.h"

_Static_assert((int)STORE_CHARGES_MAX <= (int)CHARGE_CALL_MAX,
               "a reply has room for all charges");

enum { SAVE_EVERY_S = 60 };

struct store {
    struct store_settings settings; /* owned copy */
    struct digest_key key;
    struct store_reporter reporter;
    struct store_backends backends;

    pthread_mutex_t saving; /* one writer of the file; on the mail path only for an
                               answer that counts (quarantine/confirm.c) */
    uint64_t saved_changes;
    pthread_mutex_t mutex; /* of stopping */
    pthread_cond_t stop;
    bool stopping;
    pthread_t saver;
    bool saver_runs;
};

static void report(const struct store *store, const struct error *error,
                   const char *consequence)
{
    char text[sizeof error->text + sizeof error->file + 64];
    (void)snprintf(text, sizeof text, "state file %s: %s%s", error->file, error->text,
                   consequence);
    store->reporter.report(store->reporter.context, SEVERITY_WARNING, text);
}

static void clear_settings(struct store_settings *settings)
{
    free(settings->host);
    free(settings->path);
    strings_clear(&settings->seeds);
    strings_clear(&settings->sentinels);
    free(settings->master);
    free(settings->sentinel_password_file);
    free(settings->username);
    free(settings->password_file);
    free(settings->ca_file);
    free(settings->cert_file);
    free(settings->cert_key_file);
    free(settings->prefix);
    free(settings->state_file);
}

static bool copy_string(char **out, const char *string)
{
    *out = string == NULL ? NULL : strdup(string);
    return string == NULL || *out != NULL;
}

static bool copy_strings(struct strings *out, const struct strings *in)
{
    for (size_t i = 0; i < in->count; i++)
        if (strings_add(out, in->items[i]) != STATUS_OK)
            return false;
    return true;
}

static bool copy_settings(struct store_settings *out, const struct store_settings *in)
{
    assert(in->prefix != NULL && in->state_file != NULL); /* "" when there is none */
    *out = *in;
    out->host = out->path = out->username = NULL;
    out->password_file = out->prefix = out->state_file = NULL;
    out->master = out->sentinel_password_file = NULL;
    out->ca_file = out->cert_file = out->cert_key_file = NULL;
    out->seeds = out->sentinels = (struct strings){0};
    return copy_string(&out->host, in->host) && copy_string(&out->path, in->path) &&
           copy_strings(&out->seeds, &in->seeds) &&
           copy_strings(&out->sentinels, &in->sentinels) &&
           copy_string(&out->master, in->master) &&
           copy_string(&out->sentinel_password_file, in->sentinel_password_file) &&
           copy_string(&out->username, in->username) &&
           copy_string(&out->password_file, in->password_file) &&
           copy_string(&out->ca_file, in->ca_file) &&
           copy_string(&out->cert_file, in->cert_file) &&
           copy_string(&out->cert_key_file, in->cert_key_file) &&
           copy_string(&out->prefix, in->prefix) &&
           copy_string(&out->state_file, in->state_file);
}

static bool has_file(const struct store *store)
{
    return store->settings.state_file[0] != '\0';
}

/* Grows with each change of what the file keeps. */
static uint64_t count_changes(const struct store *store)
{
    const struct store_backends *backends = &store->backends;
    uint64_t changes = documents_memory_changes(backends->documents);
    if (backends->memory != NULL)
        changes += memory_changes(backends->memory);
    return changes;
}

static struct state state_of(const struct store *store)
{
    return (struct state){.memory = store->backends.memory,
                          .documents = store->backends.documents,
                          .only_brakes = store->settings.type == STORE_TYPE_REDIS};
}

/* A missing folder is no reason not to start; a file we must not replace is. */
static enum status load(struct store *store, struct error *error)
{
    const char *path = store->settings.state_file;
    struct error damage = {0};
    if (!has_file(store))
        return STATUS_OK;
    const struct state state = state_of(store);
    enum status status = state_load(&state, &store->key, path, clock_wall_ms(), &damage);
    if (status == STATUS_INVALID) {
        report(store, &damage, "; renamed to .bad, and a new one started");
        status = state_set_aside(path, &damage);
    }
    if (status != STATUS_OK && error != NULL)
        *error = damage;
    store->saved_changes = count_changes(store);
    return status;
}

enum status store_save(struct store *store, struct error *error)
{
    if (!has_file(store))
        return STATUS_OK;
    (void)pthread_mutex_lock(&store->saving);
    uint64_t changes = count_changes(store);
    const struct state state = state_of(store);
    enum status status = state_save(&state, &store->key, store->settings.state_file,
                                    clock_wall_ms(), error);
    if (status == STATUS_OK)
        store->saved_changes = changes;
    (void)pthread_mutex_unlock(&store->saving);
    return status;
}

static bool is_changed(struct store *store)
{
    (void)pthread_mutex_lock(&store->saving);
    bool changed = count_changes(store) != store->saved_changes;
    (void)pthread_mutex_unlock(&store->saving);
    return changed;
}

/* True when the store closes, false after a minute. */
static bool wait_for_stop(struct store *store)
{
    const struct timespec until =
        clock_timespec(clock_monotonic_us() + SAVE_EVERY_S * INT64_C(1000000));
    (void)pthread_mutex_lock(&store->mutex);
    while (!store->stopping &&
           pthread_cond_timedwait(&store->stop, &store->mutex, &until) != ETIMEDOUT)
        ;
    bool stopping = store->stopping;
    (void)pthread_mutex_unlock(&store->mutex);
    return stopping;
}

static void *save_each_minute(void *context)
{
    struct store *store = context;
    while (!wait_for_stop(store)) {
        struct error error = {0};
        if (is_changed(store) && store_save(store, &error) != STATUS_OK)
            report(store, &error, "; not saved");
    }
    return NULL;
}

static enum status start_saver(struct store *store, struct error *error)
{
    if (!has_file(store))
        return STATUS_OK;
    enum status status =
        worker_start("state saver", save_each_minute, store, &store->saver, error);
    store->saver_runs = status == STATUS_OK;
    return status;
}

static enum status start(struct store *store, struct error *error)
{
    const struct store_settings *settings = &store->settings;
    bool shared = settings->type == STORE_TYPE_REDIS;
    if (!shared || settings->on_failure == ON_FAILURE_LOCAL) {
        store->backends.memory = memory_new();
        if (store->backends.memory == NULL)
            return error_set(error, STATUS_NOMEM, "out of memory");
    }
    store->backends.documents = documents_memory_new();
    if (store->backends.documents == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    enum status status = load(store, error);
    if (status == STATUS_OK && shared)
        status = redis_open(settings, &store->key, store->reporter,
                            &store->backends.redis, error);
    if (status == STATUS_OK)
        status = start_saver(store, error);
    return status;
}

static void stop(struct store *store)
{
    (void)pthread_mutex_lock(&store->mutex);
    store->stopping = true;
    (void)pthread_cond_signal(&store->stop);
    (void)pthread_mutex_unlock(&store->mutex);
    if (store->saver_runs)
        (void)pthread_join(store->saver, NULL);
    redis_close(store->backends.redis);
}

static void destroy(struct store *store)
{
    documents_memory_free(store->backends.documents);
    memory_free(store->backends.memory);
    (void)pthread_cond_destroy(&store->stop);
    (void)pthread_mutex_destroy(&store->mutex);
    (void)pthread_mutex_destroy(&store->saving);
    clear_settings(&store->settings);
    free(store);
}

/* These cannot fail on Linux: none of them allocates. */
static void init_locks(struct store *store)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&store->stop, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&store->mutex, NULL);
    (void)pthread_mutex_init(&store->saving, NULL);
}

enum status store_open(const struct store_settings *settings,
                       const struct digest_key *key, struct store_reporter reporter,
                       struct store **out_store, struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    init_locks(store);
    store->key = *key;
    store->reporter = reporter;
    enum status status = copy_settings(&store->settings, settings)
                             ? start(store, error)
                             : error_set(error, STATUS_NOMEM, "out of memory");
    if (status != STATUS_OK) {
        stop(store);
        destroy(store);
        return status;
    }
    *out_store = store;
    return STATUS_OK;
}

void store_close(struct store *store)
{
    struct error error = {0};
    if (store == NULL)
        return;
    stop(store);
    bool needed = store->backends.memory != NULL || is_changed(store);
    if (needed && store_save(store, &error) != STATUS_OK)
        report(store, &error, "; not saved");
    destroy(store);
}

const struct store_backends *store_backends(const struct store *store)
{
    return &store->backends;
}

enum store_state store_state(struct store *store)
{
    if (store->backends.redis == NULL || !redis_is_away(store->backends.redis))
        return STORE_STATE_OK;
    return store->backends.memory != NULL ? STORE_STATE_LOCAL : STORE_STATE_DOWN;
}

bool store_complaint(struct store *store, char out[STORE_COMPLAINT_SIZE])
{
    return store->backends.redis != NULL &&
           redis_complaint(store->backends.redis, out, STORE_COMPLAINT_SIZE);
}

bool store_describe(struct store *store, char out[STORE_PLACE_SIZE])
{
    return store->backends.redis != NULL &&
           redis_describe(store->backends.redis, out, STORE_PLACE_SIZE);
}

bool store_why(struct store *store, char out[STORE_COMPLAINT_SIZE])
{
    return store->backends.redis != NULL &&
           redis_why(store->backends.redis, out, STORE_COMPLAINT_SIZE);
}

struct store_silences store_silences(struct store *store)
{
    return store->backends.redis != NULL ? redis_silences(store->backends.redis)
                                         : (struct store_silences){0};
}

const char *store_source_name(enum charge_source source)
{
    static const char *const names[] = {
        [CHARGE_SOURCE_NONE] = "none",
        [CHARGE_SOURCE_REDIS] = "redis",
        [CHARGE_SOURCE_MEMORY] = "memory",
        [CHARGE_SOURCE_LOCAL] = "local",
    };
    return names[source];
}

/* With Redis, this relay's share. */
static struct local local_of(const struct store *store)
{
    bool shared = store->backends.redis != NULL;
    return (struct local){.memory = store->backends.memory,
                          .key = &store->key,
                          .nodes = shared ? store->settings.nodes : 0,
                          .seen = shared ? redis_last_seen(store->backends.redis) : NULL};
}

static enum status charge_redis(struct store *store, const struct charge *charges,
                                size_t count, enum charge_mode mode, int64_t deadline_us,
                                struct charge_outcome *out_outcomes)
{
    const struct local local = local_of(store);
    struct local_mirror mirror = {0};
    struct redis *redis = store->backends.redis;
    if (redis == NULL || redis_is_away(redis))
        return STATUS_UNAVAILABLE;
    if (local.memory != NULL &&
        local_recall(&local, charges, count, clock_wall_ms(), &mirror) != STATUS_OK)
        return STATUS_NOMEM;
    enum status status = redis_charge(redis, charges, count, mode, mirror.carried,
                                      deadline_us, out_outcomes);
    if (status == STATUS_OK)
        local_learn(&local, &mirror, mode, clock_wall_ms(), out_outcomes);
    local_mirror_clear(&mirror);
    return status;
}

enum status store_charge(struct store *store, const struct charge *charges, size_t count,
                         enum charge_mode mode, int64_t deadline_us,
                         struct charge_outcome *out_outcomes,
                         enum charge_source *out_source)
{
    const struct local local = local_of(store);
    if (count == 0) {
        *out_source = CHARGE_SOURCE_NONE;
        return STATUS_OK;
    }
    if (count > STORE_CHARGES_MAX)
        return STATUS_LIMIT;
    enum status status =
        charge_redis(store, charges, count, mode, deadline_us, out_outcomes);
    if (status == STATUS_OK)
        *out_source = CHARGE_SOURCE_REDIS;
    if (status == STATUS_OK || status == STATUS_NOMEM || local.memory == NULL)
        return status;
    status = local_charge(&local, charges, count, mode, clock_wall_ms(), out_outcomes);
    if (status == STATUS_OK)
        *out_source =
            store->backends.redis == NULL ? CHARGE_SOURCE_MEMORY : CHARGE_SOURCE_LOCAL;
    /* The memory is there: one message asks too much of it. */
    return status == STATUS_UNAVAILABLE ? STATUS_LIMIT : status;
}

/* What Redis is told to forget is forgotten here first, or a latch that was set here
 * would be carried to it again. What it learns is kept here only if Redis is away. */
enum status store_amend(struct store *store, const struct charge *charges, size_t count,
                        enum amend what, int64_t deadline_us)
{
    const struct local local = local_of(store);
    struct redis *redis = store->backends.redis;
    enum status here = STATUS_OK;
    enum status there = STATUS_OK;
    if (count == 0)
        return STATUS_OK;
    if (count > STORE_CHARGES_MAX)
        return STATUS_UNAVAILABLE;
    if (redis != NULL && what == AMEND_TRAIN) {
        there = redis_amend(redis, charges, count, what, deadline_us);
        if (there == STATUS_OK)
            return STATUS_OK;
    }
    if (local.memory != NULL)
        here = local_amend(&local, charges, count, what, clock_wall_ms());
    if (redis != NULL && what != AMEND_TRAIN)
        there = redis_amend(redis, charges, count, what, deadline_us);
    return here != STATUS_OK ? here : there;
}

enum status store_poll(struct store *store, int64_t deadline_us)
{
    struct redis *redis = store->backends.redis;
    return redis == NULL ? STATUS_OK : redis_poll(redis, deadline_us);
}

enum status store_window(struct store *store, const struct charge *charge,
                         int64_t deadline_us, struct window *out)
{
    const struct local local = local_of(store);
    enum status status = STATUS_UNAVAILABLE;
    if (store->backends.redis != NULL)
        status = redis_window(store->backends.redis, charge, deadline_us, out);
    if (status != STATUS_OK && local.memory != NULL)
        status = local_window(&local, charge, clock_wall_ms(), out);
    return status;
}
