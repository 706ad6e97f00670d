/* A key with an id, which a store that lost its data has not, and a count that grows four
 * times a second while mail is charged, so that a copy of the store that lags shows.
 * Redis keeps the order of what it is told: as long as it has the last count, it has all
 * that was seen before. */
#include "store/epoch/epoch.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/detour.h"
#include "store/epoch/restore.h"
#include "store/script.h"

/* A replica that took over may lag by so much, and not show it once other relays have
 * counted on. */
#define LAG_US INT64_C(10000000)

struct epoch {
    const char *prefix;
    struct store_reporter reporter;
    struct last_seen *seen;

    pthread_mutex_t restoring; /* held across I/O: or a debt would be paid twice */
    pthread_mutex_t mutex;     /* of all below; a leaf */
    char id[DIGEST_ID_SIZE];   /* "": no store was entered yet */
    int64_t count;
    int64_t counted_us; /* when that count was asked for: what was seen before is kept */
    uint64_t number;
};

/* What the store says of itself. */
struct epoch_answer {
    char id[DIGEST_ID_SIZE];
    int64_t count;
    bool lost;
};

struct epoch *epoch_new(const char *prefix, const struct digest_key *key,
                        struct store_reporter reporter)
{
    struct epoch *epoch = calloc(1, sizeof *epoch);
    if (epoch == NULL)
        return NULL;
    epoch->prefix = prefix;
    epoch->reporter = reporter;
    epoch->seen = last_seen_new(prefix, key);
    if (epoch->seen == NULL) {
        free(epoch);
        return NULL;
    }
    (void)pthread_mutex_init(&epoch->restoring, NULL);
    (void)pthread_mutex_init(&epoch->mutex, NULL);
    return epoch;
}

void epoch_free(struct epoch *epoch)
{
    if (epoch == NULL)
        return;
    (void)pthread_mutex_destroy(&epoch->mutex);
    (void)pthread_mutex_destroy(&epoch->restoring);
    last_seen_free(epoch->seen);
    free(epoch);
}

struct last_seen *epoch_last_seen(struct epoch *epoch)
{
    return epoch->seen;
}

uint64_t epoch_number(struct epoch *epoch)
{
    (void)pthread_mutex_lock(&epoch->mutex);
    uint64_t number = epoch->number;
    (void)pthread_mutex_unlock(&epoch->mutex);
    return number;
}

static enum status take_answer(const redisReply *reply, struct epoch_answer *out,
                               struct error *error)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return connection_refusal(reply, error);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[0]->len >= sizeof out->id ||
        reply->element[1]->type != REDIS_REPLY_INTEGER ||
        reply->element[2]->type != REDIS_REPLY_INTEGER)
        return error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
    (void)snprintf(out->id, sizeof out->id, "%s", reply->element[0]->str);
    out->count = reply->element[1]->integer;
    out->lost = reply->element[2]->integer != 0;
    return STATUS_OK;
}

/* Runs epoch.lua. CONFLICT: a Cluster moves the key just now. */
static enum status ask(struct epoch *epoch, const char *what,
                       struct connection *connection, int64_t deadline_us,
                       struct epoch_answer *out, struct error *error)
{
    struct script_call call;
    redisReply *reply = NULL;
    char id[DIGEST_ID_SIZE], new_id[DIGEST_ID_SIZE], count[24];
    struct text key = {0};
    enum status status = script_init(&call, &scripts_epoch, 1, 4);
    if (status != STATUS_OK)
        return status;
    (void)pthread_mutex_lock(&epoch->mutex);
    memcpy(id, epoch->id, sizeof id);
    (void)snprintf(count, sizeof count, "%" PRId64, epoch->count);
    (void)pthread_mutex_unlock(&epoch->mutex);
    digest_random_id(new_id);
    text_printf(&key, "{%s}:epoch", epoch->prefix);
    script_set_key(&call, 0, text_string(&key));
    script_set_argument(&call, 0, what);
    script_set_argument(&call, 1, id);
    script_set_argument(&call, 2, count);
    script_set_argument(&call, 3, new_id);
    status = key.failed ? STATUS_NOMEM
                        : script_run(&call, connection, deadline_us, &reply, error);
    script_clear(&call);
    text_clear(&key);
    if (status != STATUS_OK)
        return status;
    status = detour_is_moving(reply) ? STATUS_CONFLICT : take_answer(reply, out, error);
    freeReplyObject(reply);
    return status;
}

/* The store was entered, or is still the same; counted_us: when it was asked to count. */
static void note_answer(struct epoch *epoch, const struct epoch_answer *answer,
                        int64_t counted_us)
{
    (void)pthread_mutex_lock(&epoch->mutex);
    epoch->number += strcmp(epoch->id, answer->id) != 0;
    memcpy(epoch->id, answer->id, sizeof epoch->id);
    epoch->count = answer->count;
    epoch->counted_us = counted_us;
    (void)pthread_mutex_unlock(&epoch->mutex);
}

/* The reconnector may have entered another one meanwhile. */
static void note_count(struct epoch *epoch, const struct epoch_answer *answer,
                       int64_t counted_us)
{
    (void)pthread_mutex_lock(&epoch->mutex);
    if (strcmp(epoch->id, answer->id) == 0) {
        epoch->count = answer->count;
        epoch->counted_us = counted_us;
    }
    (void)pthread_mutex_unlock(&epoch->mutex);
}

static int64_t counted_us(struct epoch *epoch)
{
    (void)pthread_mutex_lock(&epoch->mutex);
    int64_t us = epoch->counted_us;
    (void)pthread_mutex_unlock(&epoch->mutex);
    return us;
}

static void report(const struct epoch *epoch, bool lost, size_t changed)
{
    char text[200];
    if (!lost && changed == 0)
        return;
    (void)snprintf(text, sizeof text, "%s%zu limit%s set to what this relay saw last",
                   lost
                       ? "Redis has lost data (it was flushed, was restarted without it, "
                         "or a replica that lagged took over): "
                       : "",
                   changed, changed == 1 ? " was" : "s were");
    epoch->reporter.report(epoch->reporter.context,
                           lost ? SEVERITY_WARNING : SEVERITY_INFO, text);
}

/* What to write back, by the store's answer. What another server lacks was lost on the
 * way there. */
static struct restore plan(struct epoch *epoch, const struct epoch_answer *answer,
                           enum epoch_doubt doubt, int step_ms)
{
    bool moved = doubt == EPOCH_MOVED;
    int64_t since_us = counted_us(epoch) - (moved ? LAG_US : 0);
    return (struct restore){.seen = epoch->seen,
                            .prefix = epoch->prefix,
                            .lost = answer->lost || moved,
                            .since_us = answer->lost || since_us < 0 ? 0 : since_us,
                            .step_ms = step_ms};
}

/* What was asked before may be missing in what is written back. */
static void leave_behind(struct epoch *epoch)
{
    (void)pthread_mutex_lock(&epoch->mutex);
    epoch->number++;
    (void)pthread_mutex_unlock(&epoch->mutex);
}

/* Until the next count, nothing that was written back is known to be kept. */
enum status epoch_enter(struct epoch *epoch, struct connection *connection,
                        enum epoch_doubt doubt, int step_ms, struct error *error)
{
    size_t changed = 0;
    struct epoch_answer answer = {0};
    enum status status =
        ask(epoch, "enter", connection, clock_deadline_us(step_ms), &answer, error);
    const struct restore restore = plan(epoch, &answer, doubt, step_ms);
    if (status == STATUS_OK && restore.lost)
        leave_behind(epoch);
    if (status == STATUS_OK && (answer.lost || doubt != EPOCH_SURE)) {
        (void)pthread_mutex_lock(&epoch->restoring);
        status = restore_write(&restore, connection, &changed, error);
        (void)pthread_mutex_unlock(&epoch->restoring);
    }
    if (status != STATUS_OK)
        return status;
    note_answer(epoch, &answer, restore.since_us);
    report(epoch, answer.lost, changed);
    return STATUS_OK;
}

/* The same store: OK; another: CONFLICT, and the connection is left. */
static enum status compare(struct connection *connection, bool lost, struct error *error)
{
    if (!lost)
        return STATUS_OK;
    connection_leave(connection);
    return error_set(error, STATUS_CONFLICT, "Redis has lost data");
}

enum status epoch_look(struct epoch *epoch, struct connection *connection,
                       int64_t deadline_us, struct error *error)
{
    struct epoch_answer answer = {0};
    enum status status = ask(epoch, "look", connection, deadline_us, &answer, error);
    return status == STATUS_OK ? compare(connection, answer.lost, error) : status;
}

/* Tells the store what was let pass while it was away; the next time, if the reconnector
 * does so just now, or a Cluster moves the keys. */
static enum status pay_debts(struct epoch *epoch, struct connection *connection,
                             int64_t deadline_us, struct error *error)
{
    size_t changed = 0;
    const struct restore debts = {.seen = epoch->seen,
                                  .prefix = epoch->prefix,
                                  .since_us = INT64_MAX,
                                  .step_ms = clock_left_ms(deadline_us)};
    if (!last_seen_owes(epoch->seen) || pthread_mutex_trylock(&epoch->restoring) != 0)
        return STATUS_OK;
    enum status status = restore_write(&debts, connection, &changed, error);
    (void)pthread_mutex_unlock(&epoch->restoring);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

enum status epoch_tick(struct epoch *epoch, struct connection *connection,
                       int64_t deadline_us, struct error *error)
{
    struct epoch_answer answer = {0};
    int64_t before_us = counted_us(epoch);
    int64_t now_us = clock_monotonic_us();
    bool counts = before_us == 0 || last_seen_noted_us(epoch->seen) >= before_us;
    enum status status =
        ask(epoch, counts ? "tick" : "look", connection, deadline_us, &answer, error);
    if (status == STATUS_CONFLICT)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = compare(connection, answer.lost, error);
    if (status != STATUS_OK)
        return status;
    if (counts)
        note_count(epoch, &answer, now_us);
    return pay_debts(epoch, connection, deadline_us, error);
}
