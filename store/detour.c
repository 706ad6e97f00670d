/* One connection: a slot moves within seconds or minutes, and only what has moved already
 * is asked there. Whoever waits for it waits until its own deadline. */
#include "store/detour.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum detour_state { NONE, WANTED, IDLE, LENT };

struct detour {
    struct pool *pool;
    pthread_mutex_t mutex; /* a leaf, never held across I/O */
    pthread_cond_t changed;
    enum detour_state state;
    struct connection *connection; /* idle */
    char text[DETOUR_TEXT_SIZE];   /* where it leads: "ASK 866 10.0.0.3:6379" */
    unsigned failures;             /* to connect */
};

struct detour *detour_new(struct pool *pool)
{
    pthread_condattr_t monotonic;
    struct detour *detour = calloc(1, sizeof *detour);
    if (detour == NULL)
        return NULL;
    detour->pool = pool;
    (void)pthread_mutex_init(&detour->mutex, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&detour->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return detour;
}

void detour_free(struct detour *detour)
{
    if (detour == NULL)
        return;
    connection_free(detour->connection);
    (void)pthread_cond_destroy(&detour->changed);
    (void)pthread_mutex_destroy(&detour->mutex);
    free(detour);
}

/* Under the lock: has the reconnector connect. What leads elsewhere is for the caller to
 * free. */
static struct connection *want(struct detour *detour, const char *text)
{
    struct connection *old = detour->connection;
    detour->connection = NULL;
    detour->state = WANTED;
    (void)snprintf(detour->text, sizeof detour->text, "%s", text);
    return old;
}

/* NULL when nobody connects in time. */
static struct connection *take(struct detour *detour, const char *text,
                               int64_t deadline_us)
{
    const struct timespec until = clock_timespec(deadline_us);
    struct connection *taken = NULL;
    struct connection *old = NULL;
    bool in_time = true;
    (void)pthread_mutex_lock(&detour->mutex);
    unsigned failures = detour->failures;
    while (taken == NULL && in_time && detour->failures == failures) {
        bool leads_there = strcmp(detour->text, text) == 0;
        if (detour->state == IDLE && leads_there &&
            connection_is_quiet(detour->connection)) {
            taken = detour->connection;
            detour->connection = NULL;
            detour->state = LENT;
        } else if (detour->state == NONE || (detour->state == IDLE && old == NULL)) {
            struct connection *other = want(detour, text);
            old = other != NULL ? other : old;
            pool_call(detour->pool);
        } else {
            in_time =
                pthread_cond_timedwait(&detour->changed, &detour->mutex, &until) == 0;
        }
    }
    (void)pthread_mutex_unlock(&detour->mutex);
    connection_free(old);
    return taken;
}

/* NULL: it died. */
static void give(struct detour *detour, struct connection *connection)
{
    (void)pthread_mutex_lock(&detour->mutex);
    detour->connection = connection;
    detour->state = connection != NULL ? IDLE : NONE;
    (void)pthread_cond_broadcast(&detour->changed);
    (void)pthread_mutex_unlock(&detour->mutex);
}

bool detour_wants(struct detour *detour, char out[DETOUR_TEXT_SIZE])
{
    (void)pthread_mutex_lock(&detour->mutex);
    bool wanted = detour->state == WANTED;
    memcpy(out, detour->text, DETOUR_TEXT_SIZE);
    (void)pthread_mutex_unlock(&detour->mutex);
    return wanted;
}

void detour_bring(struct detour *detour, struct connection *connection)
{
    (void)pthread_mutex_lock(&detour->mutex);
    detour->failures += connection == NULL;
    (void)pthread_mutex_unlock(&detour->mutex);
    give(detour, connection);
}

bool detour_is_moving(const redisReply *reply)
{
    return connection_refuses(reply, "ASK") || connection_refuses(reply, "TRYAGAIN");
}

/* After ASKING, which holds for one command. */
static enum status ask_there(struct connection *there,
                             const struct connection_command *command,
                             int64_t deadline_us, redisReply **out_reply,
                             struct error *error)
{
    redisReply *reply = NULL;
    enum status status = connection_ask_words(there, 1, (const char *[]){"ASKING"}, 0,
                                              deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    freeReplyObject(reply);
    return connection_ask(there, command, deadline_us, out_reply, error);
}

enum status detour_ask(struct connection *connection,
                       const struct connection_command *command, int64_t deadline_us,
                       redisReply **out_reply, struct error *error)
{
    redisReply *reply = NULL;
    redisReply *answer = NULL;
    struct detour *detour = connection_detour(connection);
    enum status status = connection_ask(connection, command, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    if (detour != NULL && connection_refuses(reply, "ASK")) {
        struct connection *there = take(detour, reply->str, deadline_us);
        if (there != NULL) {
            status = ask_there(there, command, deadline_us, &answer, error);
            if (status != STATUS_OK) {
                connection_free(there);
                there = NULL;
            }
            give(detour, there);
        }
    }
    if (answer != NULL && connection_refuses(answer, "MOVED")) {
        freeReplyObject(answer); /* it does not take the slot any more */
        answer = NULL;
    }
    if (status != STATUS_OK || answer != NULL)
        freeReplyObject(reply);
    if (status == STATUS_OK)
        *out_reply = answer != NULL ? answer : reply;
    return status;
}
