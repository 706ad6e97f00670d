/* One look serves all waiters, also those who come while it runs. Its age counts from its
 * end: one that takes longer than LOOK_TRUSTED_MS would otherwise never be fresh. */
#include "quarantine/look.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/patience.h"

struct look {
    pthread_mutex_t mutex;
    pthread_cond_t wanted_now, finished;
    bool attended, wanted, running;
    bool awaited;      /* somebody waits, or waited, for the one that is wanted or runs */
    int64_t began_us;  /* the one that runs */
    int64_t good_us;   /* the last one that went well, when it ended; 0: none */
    int64_t ahead_us;  /* the same, if nobody waited for it and none went well since */
    int64_t failed_us; /* the last one, if it failed, when it ended; else 0 */
    struct patience patience;
    unsigned ended;
    unsigned waiters;
};

static bool make_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool made = pthread_cond_init(condition, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    return made;
}

struct look *look_new(void)
{
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL)
        return NULL;
    if (pthread_mutex_init(&look->mutex, NULL) != 0 ||
        !make_condition(&look->wanted_now) || !make_condition(&look->finished)) {
        free(look);
        return NULL;
    }
    return look;
}

void look_free(struct look *look)
{
    if (look == NULL)
        return;
    (void)pthread_cond_destroy(&look->wanted_now);
    (void)pthread_cond_destroy(&look->finished);
    (void)pthread_mutex_destroy(&look->mutex);
    free(look);
}

/* False at the deadline. */
static bool await(struct look *look, pthread_cond_t *condition, int64_t deadline_us)
{
    const struct timespec until = clock_timespec(deadline_us);
    return pthread_cond_timedwait(condition, &look->mutex, &until) == 0;
}

static bool is_since(int64_t at_us, int64_t now_us, int64_t age_ms)
{
    return at_us > 0 && now_us - at_us < age_ms * 1000;
}

/* Waiting is useless: a look has just failed, or hangs, or too many wait already. */
static bool is_hopeless(const struct look *look, int64_t now_us)
{
    return is_since(look->failed_us, now_us, LOOK_RETRY_MS) ||
           !patience_is_left(&look->patience) || look->waiters >= LOOK_WAITERS_MAX ||
           (look->running && !is_since(look->began_us, now_us, LOOK_TRUSTED_MS));
}

enum look_result look_wait(struct look *look, int64_t deadline_us, bool *out_anew)
{
    *out_anew = false;
    (void)pthread_mutex_lock(&look->mutex);
    int64_t now_us = clock_monotonic_us();
    bool fresh = is_since(look->good_us, now_us, LOOK_TRUSTED_MS);
    unsigned ended = look->ended;
    bool attended = look->attended;
    if (attended && !fresh && !is_hopeless(look, now_us)) {
        if (!look->running)
            look->wanted = true;
        look->awaited = true;
        (void)pthread_cond_signal(&look->wanted_now);
        look->waiters++;
        while (look->ended == ended && await(look, &look->finished, deadline_us))
            ;
        look->waiters--;
    }
    now_us = clock_monotonic_us();
    fresh = is_since(look->good_us, now_us, LOOK_TRUSTED_MS) ||
            (look->failed_us == 0 && is_since(look->ahead_us, now_us, LOOK_AHEAD_MS));
    *out_anew = look->ended != ended;
    (void)pthread_mutex_unlock(&look->mutex);
    if (!attended)
        return LOOK_NONE;
    return fresh ? LOOK_FRESH : LOOK_UNKNOWN;
}

void look_ask(struct look *look)
{
    (void)pthread_mutex_lock(&look->mutex);
    int64_t now_us = clock_monotonic_us();
    if (look->attended && !look->running && !is_hopeless(look, now_us) &&
        !is_since(look->good_us, now_us, LOOK_TRUSTED_MS) &&
        !is_since(look->ahead_us, now_us, LOOK_TRUSTED_MS)) {
        look->wanted = true;
        (void)pthread_cond_signal(&look->wanted_now);
    }
    (void)pthread_mutex_unlock(&look->mutex);
}

bool look_await(struct look *look, int timeout_ms)
{
    int64_t deadline_us = clock_deadline_us(timeout_ms);
    (void)pthread_mutex_lock(&look->mutex);
    look->attended = true;
    while (!look->wanted && await(look, &look->wanted_now, deadline_us))
        ;
    bool wanted = look->wanted;
    if (wanted) {
        look->wanted = false;
        look->running = true;
        look->began_us = clock_monotonic_us();
    }
    (void)pthread_mutex_unlock(&look->mutex);
    return wanted;
}

void look_finish(struct look *look, bool ok)
{
    (void)pthread_mutex_lock(&look->mutex);
    look->running = false;
    look->ended++;
    int64_t now_us = clock_monotonic_us();
    if (ok && look->awaited)
        look->good_us = now_us;
    if (ok)
        look->ahead_us = look->awaited ? 0 : now_us;
    look->failed_us = ok ? 0 : now_us;
    patience_note(&look->patience, look->began_us, !ok);
    look->awaited = false;
    (void)pthread_cond_broadcast(&look->finished);
    (void)pthread_mutex_unlock(&look->mutex);
}
