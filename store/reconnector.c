/* Mail waits for nothing that is done here: names are looked up, Sentinels asked and
 * redirections followed before a connection goes to the pool. All connections there are
 * to one server: when the store turns out to be on another, they are dropped together. */
#include "store/reconnector.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/worker.h"
#include "store/charge_call.h"
#include "store/cluster.h"
#include "store/locator.h"
#include "store/trial.h"

enum {
    PROBE_EVERY_MS = 250,
    LOOK_EVERY_MS = 1000, /* a master that was replaced may answer for ten seconds */
    CONNECT_MIN_MS = 250, /* a connection may take longer than a charge */
    CONNECT_MAX_MS = 1000,
    FILL_MAX_MS = 100, /* spent on more connections before the breaker closes */
};

struct reconnector {
    const struct store_settings *settings;
    struct store_reporter reporter;
    struct locator *locator;
    struct pool *pool;
    struct detour *detour;
    struct epoch *epoch;
    struct place place;                  /* of the pool's connections */
    enum epoch_doubt doubt;              /* of the store there, until it is entered */
    bool reported_silence;               /* no Sentinel answers */
    bool reported_trial, reported_blind; /* what the user may not do */
    pthread_t thread;
    bool runs;

    pthread_mutex_t mutex; /* of description; a leaf */
    char description[LOCATOR_TEXT_SIZE];
};

static int64_t after_ms(int64_t ms)
{
    return clock_monotonic_us() + ms * 1000;
}

static void report(const struct reconnector *reconnector, enum severity severity,
                   const char *text)
{
    reconnector->reporter.report(reconnector->reporter.context, severity, text);
}

/* Runs all that a charge may run on a bucket of its own, and leaves nothing behind. Its
 * key begins as those of buckets do, so an ACL that forbids them is seen here. */
static enum status probe(struct reconnector *reconnector, struct connection *connection,
                         struct error *error)
{
    static const struct rate rate = {1000, 1000, 1000};
    const struct charge charge = {.rate = &rate, .cost = 1};
    const struct charge_order order = {
        .script = &scripts_charge, .mode = "probe", .charges = &charge, .count = 1};
    struct charge_outcome outcome;
    struct text key = {0};
    int timeout_ms = reconnector->settings->timeout_ms;
    enum status status = STATUS_NOMEM;
    struct charge_call *call = charge_call_new(&order);
    if (timeout_ms > CONNECT_MAX_MS)
        timeout_ms = CONNECT_MAX_MS;
    text_printf(&key, "{%s}:b:probe", reconnector->settings->prefix);
    if (call != NULL && !key.failed) {
        charge_call_add_key(call, key.data);
        status = charge_call_run(call, connection, after_ms(timeout_ms), &outcome, error);
    }
    text_clear(&key);
    charge_call_free(call);
    return status;
}

/* Reports the commands and keys that Redis refuses, once until all are allowed. */
static void try_user(struct reconnector *reconnector, struct connection *connection)
{
    struct trial trial = {0};
    const struct store_settings *settings = reconnector->settings;
    bool whole = trial_run(connection, settings->prefix, settings->seeds.count > 0,
                           after_ms(CONNECT_MAX_MS), &trial);
    const char *const texts[] = {trial.keys, trial.commands};
    bool refused = false;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i][0] != '\0' && !reconnector->reported_trial)
            report(reconnector, SEVERITY_WARNING, texts[i]);
        refused = refused || texts[i][0] != '\0';
    }
    if (whole)
        reconnector->reported_trial = refused;
}

/* How long one server may take to answer. */
static int step_ms(const struct reconnector *reconnector)
{
    int timeout_ms = reconnector->settings->timeout_ms;
    if (timeout_ms < CONNECT_MIN_MS)
        return CONNECT_MIN_MS;
    return timeout_ms > CONNECT_MAX_MS ? CONNECT_MAX_MS : timeout_ms;
}

/* A new connection over which a charge was seen to work; again: where the last one led.
 */
static enum status open_connection(struct reconnector *reconnector, bool again,
                                   struct connection **out_connection,
                                   struct error *error)
{
    struct connection *connection = NULL;
    enum status status = locator_open(reconnector->locator, step_ms(reconnector), again,
                                      &connection, error);
    if (status == STATUS_OK) {
        status = probe(reconnector, connection, error);
        if (status == STATUS_CONFLICT)
            status =
                STATUS_OK; /* a Cluster moves the key, and only this thread can help */
        if (status == STATUS_UNAVAILABLE && pool_is_open(reconnector->pool))
            try_user(reconnector, connection); /* one that is refused may be why */
    }
    if (status == STATUS_NOMEM)
        (void)error_set(error, status, "out of memory");
    if (status != STATUS_OK) {
        connection_free(connection);
        return status;
    }
    connection_set_detour(connection, reconnector->detour);
    *out_connection = connection;
    return STATUS_OK;
}

static void describe(struct reconnector *reconnector)
{
    (void)pthread_mutex_lock(&reconnector->mutex);
    locator_describe(reconnector->locator, reconnector->description);
    (void)pthread_mutex_unlock(&reconnector->mutex);
}

/* Notes where new connections lead, and says so where that may change. True when it is
 * another server than before. */
static bool note_place(struct reconnector *reconnector)
{
    char text[LOCATOR_TEXT_SIZE + 32];
    const struct place *place = locator_place(reconnector->locator);
    const struct store_settings *settings = reconnector->settings;
    if (place_equal(place, &reconnector->place))
        return false;
    reconnector->place = *place;
    reconnector->doubt = EPOCH_MOVED;
    describe(reconnector);
    (void)snprintf(text, sizeof text, "store at %s", reconnector->description);
    if (settings->sentinels.count > 0 || settings->seeds.count > 0)
        report(reconnector, SEVERITY_INFO, text);
    return true;
}

/* Warns when Redis would evict buckets, which refills them in silence, or when that can't
 * be seen. False when the connection died. */
static bool check_eviction(struct reconnector *reconnector, struct connection *connection)
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
        report(reconnector, SEVERITY_WARNING, text);
    } else if (reply->type == REDIS_REPLY_ERROR && !reconnector->reported_blind) {
        (void)snprintf(text, sizeof text,
                       "can't check whether Redis evicts keys (%.90s): make sure that "
                       "maxmemory-policy is noeviction",
                       reply->str);
        report(reconnector, SEVERITY_WARNING, text);
    }
    reconnector->reported_blind = reply->type == REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    return true;
}

/* Before mail uses a connection. */
static enum status enter(struct reconnector *reconnector, struct connection *connection,
                         struct error *error)
{
    connection_set_detour(connection, NULL); /* this very thread would have to open it */
    enum status status = epoch_enter(reconnector->epoch, connection, reconnector->doubt,
                                     CONNECT_MAX_MS, error);
    connection_set_detour(connection, reconnector->detour);
    if (status == STATUS_OK)
        reconnector->doubt = EPOCH_SURE;
    else if (status == STATUS_CONFLICT)
        status = STATUS_OK;
    else if (status == STATUS_NOMEM)
        (void)error_set(error, status, "out of memory");
    if (status == STATUS_UNAVAILABLE && pool_is_open(reconnector->pool))
        try_user(reconnector, connection);
    return status;
}

/* Opens the connections, at least one, with which the breaker closes. The rest are
 * missing ones then, when connecting takes long. */
static int fill(struct reconnector *reconnector, struct connection **connections,
                struct error *error)
{
    int count = 0;
    int64_t until_us = after_ms(FILL_MAX_MS);
    if (open_connection(reconnector, false, &connections[count], error) != STATUS_OK)
        return 0;
    count++;
    if (!check_eviction(reconnector, connections[0])) {
        connection_free(connections[0]);
        (void)error_set(error, STATUS_IO, "no answer to CONFIG GET");
        return 0;
    }
    (void)note_place(reconnector);
    if (enter(reconnector, connections[0], error) != STATUS_OK) {
        connection_free(connections[0]);
        return 0;
    }
    while (count < reconnector->settings->connections && clock_left_ms(until_us) > 0 &&
           open_connection(reconnector, true, &connections[count], error) == STATUS_OK)
        count++;
    return count;
}

static void probe_away(struct reconnector *reconnector, struct connection **connections)
{
    struct error error = {0};
    if (reconnector->doubt == EPOCH_SURE)
        reconnector->doubt = EPOCH_AWAY;
    int count = fill(reconnector, connections, &error);
    if (count > 0) {
        struct connection *connection = NULL;
        pool_restore(reconnector->pool, connections, count);
        /* Over one more, since mail waits for nothing that is only looked at. */
        if (locator_open(reconnector->locator, CONNECT_MAX_MS, true, &connection,
                         &error) == STATUS_OK)
            try_user(reconnector, connection);
        connection_free(connection);
    } else {
        pool_stay_open(reconnector->pool, error.text);
    }
}

/* A new connection, maybe to another server than those of before. False: it is dead, and
 * the next is not to be tried at once. One that is redirected just now says as little of
 * the store as one that is silent. */
static bool take_connection(struct reconnector *reconnector,
                            struct connection *connection)
{
    struct error error = {0};
    enum status status;
    bool moved = note_place(reconnector);
    if (moved)
        pool_renew(reconnector->pool);
    status = moved && !check_eviction(reconnector, connection)
                 ? error_set(&error, STATUS_IO, "no answer to CONFIG GET")
                 : enter(reconnector, connection, &error);
    if (status != STATUS_OK) {
        bool redirected = connection_has_moved(connection);
        connection_free(connection);
        pool_lack(reconnector->pool, redirected || status == STATUS_IO, error.text);
        return redirected;
    }
    pool_add(reconnector->pool, connection);
    return true;
}

static bool add_connection(struct reconnector *reconnector)
{
    struct error error = {0};
    struct connection *connection = NULL;
    enum status status = open_connection(reconnector, false, &connection, &error);
    if (status != STATUS_OK) {
        pool_lack(reconnector->pool, status == STATUS_IO, error.text);
        return false;
    }
    return take_connection(reconnector, connection);
}

/* Reports once that no Sentinel would tell of a failover, and when one does again. */
static void note_sentinels(struct reconnector *reconnector)
{
    bool silent = locator_is_blind(reconnector->locator);
    if (silent == reconnector->reported_silence)
        return;
    reconnector->reported_silence = silent;
    describe(reconnector);
    if (silent)
        report(reconnector, SEVERITY_WARNING,
               "no Sentinel answers, so the last master is used until it fails: see "
               "store.sentinels");
    else
        report(reconnector, SEVERITY_INFO, "a Sentinel answers again");
}

/* After a planned failover (SENTINEL FAILOVER) the old master goes on answering, and what
 * is charged there is lost. Until the new one can be used, we stay. */
static void look(struct reconnector *reconnector)
{
    struct error ignored = {0};
    struct connection *connection = NULL;
    bool elsewhere = locator_is_elsewhere(reconnector->locator, step_ms(reconnector));
    note_sentinels(reconnector);
    if (elsewhere &&
        open_connection(reconnector, false, &connection, &ignored) == STATUS_OK)
        (void)take_connection(reconnector, connection);
}

/* To the node that our slot moves to. */
static void open_detour(struct reconnector *reconnector)
{
    char text[DETOUR_TEXT_SIZE];
    struct error error = {0};
    struct place place;
    struct connection *connection = NULL;
    if (!detour_wants(reconnector->detour, text))
        return;
    if (!cluster_target(text, locator_place(reconnector->locator), &place) ||
        locator_open_at(reconnector->locator, &place, step_ms(reconnector), &connection,
                        &error) != STATUS_OK)
        connection = NULL;
    detour_bring(reconnector->detour, connection);
}

static void *keep(void *context)
{
    struct reconnector *reconnector = context;
    struct connection **connections =
        calloc((size_t)reconnector->settings->connections, sizeof(struct connection *));
    int64_t probe_us = 0;
    int64_t connect_us = 0;
    bool looks = reconnector->settings->sentinels.count > 0;
    int64_t look_us = looks ? 0 : INT64_MAX;
    if (connections == NULL) {
        pool_stay_open(reconnector->pool, "out of memory");
        return NULL;
    }
    for (;;) {
        enum pool_task task =
            pool_await_task(reconnector->pool, probe_us, connect_us, look_us);
        int64_t started_us = clock_monotonic_us();
        if (task == POOL_STOP)
            break;
        int64_t next_us = started_us + PROBE_EVERY_MS * INT64_C(1000);
        if (task == POOL_PROBE) {
            probe_away(reconnector, connections);
            probe_us = next_us;
        } else if (task == POOL_DETOUR) {
            open_detour(reconnector);
        } else if (task == POOL_LOOK) {
            look(reconnector);
            look_us = started_us + LOOK_EVERY_MS * INT64_C(1000);
        } else {
            connect_us = add_connection(reconnector) ? 0 : next_us;
        }
    }
    free(connections);
    return NULL;
}

enum status reconnector_start(const struct store_settings *settings,
                              const struct reconnector_parts *parts,
                              struct store_reporter reporter,
                              struct reconnector **out_reconnector, struct error *error)
{
    struct reconnector *reconnector = calloc(1, sizeof *reconnector);
    if (reconnector == NULL)
        return STATUS_NOMEM;
    reconnector->settings = settings;
    reconnector->pool = parts->pool;
    reconnector->detour = parts->detour;
    reconnector->epoch = parts->epoch;
    reconnector->reporter = reporter;
    (void)pthread_mutex_init(&reconnector->mutex, NULL);
    enum status status = locator_new(settings, &reconnector->locator, error);
    if (status == STATUS_OK) {
        status =
            worker_start("reconnector", keep, reconnector, &reconnector->thread, error);
        reconnector->runs = status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        reconnector_stop(reconnector);
        return status;
    }
    *out_reconnector = reconnector;
    return STATUS_OK;
}

void reconnector_stop(struct reconnector *reconnector)
{
    if (reconnector == NULL)
        return;
    if (reconnector->runs) {
        pool_stop(reconnector->pool);
        (void)pthread_join(reconnector->thread, NULL);
    }
    locator_free(reconnector->locator);
    (void)pthread_mutex_destroy(&reconnector->mutex);
    free(reconnector);
}

bool reconnector_describe(struct reconnector *reconnector, char *out, size_t size)
{
    (void)pthread_mutex_lock(&reconnector->mutex);
    (void)snprintf(out, size, "%s", reconnector->description);
    (void)pthread_mutex_unlock(&reconnector->mutex);
    return out[0] != '\0';
}
