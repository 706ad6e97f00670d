/* One lock, never held across I/O; waits are until monotonic deadlines. Connections of an
 * older generation may still be leased when the breaker has closed again: what they bring
 * back says nothing about the new ones, and they are freed. */
#include "store/pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* One slow reply says nothing about Redis, and calls that wait at the same time say it
 * once. So many silences, one after the other, with no answer to anybody between them,
 * open the breaker. */
enum { SILENCES_MAX = 3 };

/* How often silences that open nothing are reported. */
#define REPORT_EVERY_US INT64_C(60000000)

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t ready;      /* a connection, a breaker that opens, the first probe */
    pthread_cond_t work;       /* for the reconnector */
    struct connection **idle;  /* a stack of idle_count, room for size */
    struct connection **spare; /* the reconnector's, as large */
    int size, idle_count;
    int alive; /* idle or lent, of this generation */
    int waiting;
    bool open, stopping, probed, called;
    bool lacking;    /* the last try to connect failed */
    int silences;    /* since the last answer */
    int64_t sign_us; /* of the last answer, or of the last silence that counted */
    struct store_silences unanswered;
    char silence[104];   /* why one of these was, that is not reported yet; else "" */
    int64_t reported_us; /* when one was last reported */
    int64_t connect_us;  /* when the reconnector began its last connection */
    uint64_t generation;
    char why[POOL_WHY_SIZE]; /* open, or lacking */

    pthread_mutex_t reporting; /* taken before mutex: transitions are reported in order */
    bool reported_open;
    struct store_reporter reporter;
};

static bool init_locks(struct pool *pool)
{
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0)
        return false;
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    /* On Linux these four allocate nothing and cannot fail. */
    bool done = pthread_cond_init(&pool->ready, &monotonic) == 0 &&
                pthread_cond_init(&pool->work, &monotonic) == 0 &&
                pthread_mutex_init(&pool->mutex, NULL) == 0 &&
                pthread_mutex_init(&pool->reporting, NULL) == 0;
    (void)pthread_condattr_destroy(&monotonic);
    return done;
}

struct pool *pool_new(int size, struct store_reporter reporter)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->size = size;
    pool->open = true;
    pool->reporter = reporter;
    pool->idle = calloc((size_t)size, sizeof(struct connection *));
    pool->spare = calloc((size_t)size, sizeof(struct connection *));
    if (pool->idle == NULL || pool->spare == NULL || !init_locks(pool)) {
        free(pool->spare);
        free(pool->idle);
        free(pool);
        return NULL;
    }
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    for (int i = 0; i < pool->idle_count; i++)
        connection_free(pool->idle[i]);
    (void)pthread_mutex_destroy(&pool->reporting);
    (void)pthread_mutex_destroy(&pool->mutex);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_cond_destroy(&pool->ready);
    free(pool->spare);
    free(pool->idle);
    free(pool);
}

/* False at the deadline. */
static bool wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_us)
{
    const struct timespec until = clock_timespec(deadline_us);
    return pthread_cond_timedwait(cond, mutex, &until) == 0;
}

/* Reports the breaker's state unless it was reported already, under a lock that nothing
 * but this function takes. */
static void report(struct pool *pool)
{
    char text[sizeof pool->why + 32];
    (void)pthread_mutex_lock(&pool->reporting);
    (void)pthread_mutex_lock(&pool->mutex);
    bool open = pool->open;
    if (open)
        (void)snprintf(text, sizeof text, "store away: %s", pool->why);
    else
        (void)snprintf(text, sizeof text, "store back");
    (void)pthread_mutex_unlock(&pool->mutex);
    if (open != pool->reported_open) {
        pool->reported_open = open;
        pool->reporter.report(pool->reporter.context,
                              open ? SEVERITY_WARNING : SEVERITY_INFO, text);
    }
    (void)pthread_mutex_unlock(&pool->reporting);
}

static void set_why(struct pool *pool, const char *why)
{
    (void)snprintf(pool->why, sizeof pool->why, "%s", why);
}

/* Under the lock. Idle connections stay where they are until the reconnector frees them.
 */
static void open_breaker(struct pool *pool)
{
    pool->open = true;
    pool->generation++;
    (void)pthread_cond_broadcast(&pool->ready);
    (void)pthread_cond_signal(&pool->work);
}

/* Under the lock: Redis answered. */
static void note_answer(struct pool *pool)
{
    pool->silences = 0;
    pool->sign_us = clock_monotonic_us();
}

/* Under the lock: nobody answered what was asked at asked_us. It counts when there was no
 * sign of life since. True when the breaker opens. */
static bool note_silence(struct pool *pool, int64_t asked_us, const char *why)
{
    if (asked_us <= pool->sign_us)
        return false;
    pool->sign_us = clock_monotonic_us();
    if (++pool->silences < SILENCES_MAX)
        return false;
    set_why(pool, why);
    open_breaker(pool);
    return true;
}

static enum status take_idle(struct pool *pool, int64_t deadline_us,
                             struct lease *out_lease)
{
    enum status status = STATUS_LIMIT;
    (void)pthread_mutex_lock(&pool->mutex);
    if (pool->idle_count > 0 || pool->waiting < POOL_WAITERS_MAX) {
        bool in_time = true;
        status = STATUS_UNAVAILABLE;
        pool->waiting++;
        while (!pool->open && pool->idle_count == 0 && in_time)
            in_time = wait_until(&pool->ready, &pool->mutex, deadline_us);
        pool->waiting--;
    }
    if (!pool->open && pool->idle_count > 0) {
        *out_lease = (struct lease){pool->idle[--pool->idle_count], pool->generation};
        status = STATUS_OK;
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return status;
}

enum status pool_take(struct pool *pool, int64_t deadline_us, struct lease *out_lease)
{
    struct lease lease;
    for (;;) {
        enum status status = take_idle(pool, deadline_us, &lease);
        if (status != STATUS_OK)
            return status;
        if (connection_is_quiet(lease.connection)) {
            *out_lease = lease;
            return STATUS_OK;
        }
        pool_drop(pool, &lease);
    }
}

void pool_give(struct pool *pool, const struct lease *lease, bool answered)
{
    (void)pthread_mutex_lock(&pool->mutex);
    bool keep = lease->generation == pool->generation;
    if (keep) {
        if (answered)
            note_answer(pool);
        pool->idle[pool->idle_count++] = lease->connection;
        (void)pthread_cond_signal(&pool->ready);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    if (!keep)
        connection_free(lease->connection);
}

bool pool_keep(struct pool *pool, const struct lease *lease)
{
    (void)pthread_mutex_lock(&pool->mutex);
    bool keep = lease->generation == pool->generation &&
                (pool->waiting == 0 || pool->idle_count > 0);
    if (keep)
        note_answer(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
    return keep;
}

/* Under the lock: something that was asked was not answered, which opens nothing. */
static void count_silence(struct pool *pool, const char *why)
{
    pool->unanswered.count++;
    pool->unanswered.last_us = clock_monotonic_us();
    (void)snprintf(pool->silence, sizeof pool->silence, "%.100s", why);
}

/* A connection was replaced: tells of a silence since the last, but not too often. When
 * Redis is away, that is told instead. */
static void report_silence(struct pool *pool)
{
    char text[POOL_WHY_SIZE];
    int64_t now_us = clock_monotonic_us();
    (void)pthread_mutex_lock(&pool->mutex);
    bool due = pool->silence[0] != '\0' &&
               (pool->reported_us == 0 || now_us - pool->reported_us >= REPORT_EVERY_US);
    (void)snprintf(text, sizeof text,
                   "a request got no answer (%s), and its connection was replaced; "
                   "mailbrake status counts such requests",
                   pool->silence);
    pool->silence[0] = '\0';
    if (due)
        pool->reported_us = now_us;
    (void)pthread_mutex_unlock(&pool->mutex);
    if (due)
        pool->reporter.report(pool->reporter.context, SEVERITY_WARNING, text);
}

/* Frees a connection that is dead. asked_us: what was asked over it then was not
 * answered; -1: nothing was. */
static void lose(struct pool *pool, const struct lease *lease, int64_t asked_us,
                 const char *why)
{
    bool tripped = false;
    (void)pthread_mutex_lock(&pool->mutex);
    if (lease->generation == pool->generation) {
        pool->alive--;
        tripped = asked_us >= 0 && note_silence(pool, asked_us, why);
        if (!tripped && pool->alive == 0 && pool->lacking) {
            tripped = true;
            open_breaker(pool);
        }
        if (!tripped && asked_us >= 0)
            count_silence(pool, why);
        (void)pthread_cond_signal(&pool->work);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    connection_free(lease->connection);
    if (tripped)
        report(pool);
}

void pool_drop(struct pool *pool, const struct lease *lease)
{
    lose(pool, lease, -1, "");
}

void pool_miss(struct pool *pool, const struct lease *lease, int64_t asked_us,
               const char *why)
{
    lose(pool, lease, asked_us, why);
}

struct store_silences pool_silences(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    struct store_silences silences = pool->unanswered;
    (void)pthread_mutex_unlock(&pool->mutex);
    return silences;
}

/* Under the lock: those that are lent are of an older generation now. */
static int forget_all(struct pool *pool, struct connection **out)
{
    int count = pool->idle_count;
    memcpy(out, pool->idle, (size_t)count * sizeof *out);
    pool->idle_count = pool->alive = 0;
    pool->lacking = false;
    pool->generation++;
    (void)pthread_cond_signal(&pool->work);
    return count;
}

static void free_all(struct connection *const *connections, int count)
{
    for (int i = 0; i < count; i++)
        connection_free(connections[i]);
}

void pool_renew(struct pool *pool)
{
    struct connection *old[POOL_CONNECTIONS_MAX];
    (void)pthread_mutex_lock(&pool->mutex);
    int count = pool->open ? 0 : forget_all(pool, old);
    (void)pthread_mutex_unlock(&pool->mutex);
    free_all(old, count);
}

void pool_trip(struct pool *pool, const struct lease *lease, const char *why)
{
    struct connection *old[POOL_CONNECTIONS_MAX];
    int count = 0;
    (void)pthread_mutex_lock(&pool->mutex);
    if (lease->generation == pool->generation) {
        set_why(pool, why);
        if (connection_has_moved(lease->connection))
            count = forget_all(pool, old);
        else
            open_breaker(pool);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    free_all(old, count);
    connection_free(lease->connection);
    report(pool);
}

bool pool_is_open(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    bool open = pool->open;
    (void)pthread_mutex_unlock(&pool->mutex);
    return open;
}

bool pool_why(struct pool *pool, char *out, size_t size)
{
    (void)pthread_mutex_lock(&pool->mutex);
    bool open = pool->open;
    if (open)
        (void)snprintf(out, size, "%s", pool->why);
    (void)pthread_mutex_unlock(&pool->mutex);
    return open;
}

void pool_await_first(struct pool *pool, int64_t deadline_us)
{
    bool in_time = true;
    (void)pthread_mutex_lock(&pool->mutex);
    while (!pool->probed && in_time)
        in_time = wait_until(&pool->ready, &pool->mutex, deadline_us);
    if (!pool->probed)
        set_why(pool, "no answer yet");
    (void)pthread_mutex_unlock(&pool->mutex);
    report(pool);
}

enum pool_task pool_await_task(struct pool *pool, int64_t probe_us, int64_t connect_us,
                               int64_t look_us)
{
    enum pool_task task = POOL_STOP;
    (void)pthread_mutex_lock(&pool->mutex);
    while (!pool->stopping && !pool->called) {
        bool missing = pool->alive < pool->size && connect_us <= look_us;
        task = pool->open ? POOL_PROBE : missing ? POOL_CONNECT : POOL_LOOK;
        int64_t due_us = pool->open ? probe_us : missing ? connect_us : look_us;
        if (due_us == INT64_MAX)
            (void)pthread_cond_wait(&pool->work, &pool->mutex);
        else if (!wait_until(&pool->work, &pool->mutex, due_us))
            break;
    }
    if (pool->stopping)
        task = POOL_STOP;
    else if (pool->called)
        task = POOL_DETOUR;
    pool->called = false;
    pool->connect_us = clock_monotonic_us();
    (void)pthread_mutex_unlock(&pool->mutex);
    return task;
}

void pool_call(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->called = true;
    (void)pthread_cond_signal(&pool->work);
    (void)pthread_mutex_unlock(&pool->mutex);
}

void pool_stay_open(struct pool *pool, const char *why)
{
    (void)pthread_mutex_lock(&pool->mutex);
    set_why(pool, why);
    pool->probed = true;
    (void)pthread_cond_broadcast(&pool->ready);
    (void)pthread_mutex_unlock(&pool->mutex);
    report(pool);
}

void pool_restore(struct pool *pool, struct connection *const *connections, int count)
{
    (void)pthread_mutex_lock(&pool->mutex);
    struct connection **old = pool->idle;
    int old_count = pool->idle_count;
    pool->idle = pool->spare;
    pool->spare = old;
    for (int i = 0; i < count; i++)
        pool->idle[i] = connections[i];
    pool->idle_count = count;
    pool->alive = count;
    pool->open = false;
    pool->lacking = false;
    pool->probed = true;
    pool->silence[0] = '\0';
    note_answer(pool);
    (void)pthread_cond_broadcast(&pool->ready);
    (void)pthread_mutex_unlock(&pool->mutex);
    free_all(old, old_count);
    report(pool);
}

void pool_add(struct pool *pool, struct connection *connection)
{
    (void)pthread_mutex_lock(&pool->mutex);
    bool keep = !pool->open && pool->alive < pool->size;
    if (keep) {
        pool->idle[pool->idle_count++] = connection;
        pool->alive++;
        pool->lacking = false;
        note_answer(pool);
        (void)pthread_cond_signal(&pool->ready);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    if (keep)
        report_silence(pool);
    else
        connection_free(connection);
}

void pool_lack(struct pool *pool, bool silent, const char *why)
{
    (void)pthread_mutex_lock(&pool->mutex);
    if (!pool->open && silent) {
        (void)note_silence(pool, pool->connect_us, why);
    } else if (!pool->open) {
        set_why(pool, why);
        pool->lacking = true;
        if (pool->alive == 0)
            open_breaker(pool);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    report(pool);
}

void pool_stop(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    (void)pthread_cond_signal(&pool->work);
    (void)pthread_mutex_unlock(&pool->mutex);
}
