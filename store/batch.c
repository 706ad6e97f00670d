/* One of the messages in a batch, its leader, waits at the socket; the others sleep.
 * Whoever has read a reply sends the next batch over the same connection and appoints the
 * leader that reads its reply. A message leaves at its own deadline, and its outcomes are
 * not touched any more; a leader that leaves hands over to one that has more time. Who is
 * woken because it is done needs no lock: those who read a reply together would queue. */
#include "store/batch.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/detour.h"

enum {
    MEMBERS_MAX = 64,
    ELEMENTS_MAX = 2048, /* of a reply; a message that has more goes alone */
    PATIENCE_US = 1000,  /* a reply that takes longer is not waited for before the next */
};

enum member_state { QUEUED, TRAVELS, LEADS, DONE };

/* A message, on the stack of its thread. */
struct member {
    struct charge_call *call;
    struct charge_outcome *outcomes;
    struct error *error;
    int64_t deadline_us;
    _Atomic enum member_state state; /* changes under the lock */
    enum status status;              /* once it is done */
    struct batch
        *batch;     /* in which it travels, or which it leads: NULL: yet to be made */
    sem_t turn;     /* its state changed, or it is the first of the queue now */
    unsigned posts; /* of turn: all of them come before the last change of state */
    unsigned taken; /* of these, by itself */
    struct member *next; /* in the queue */
};

struct batch {
    struct lease lease;
    struct text request;
    bool by_text;    /* Redis lost the script */
    int64_t sent_us; /* monotonic */
    size_t count;
    struct member *members[MEMBERS_MAX]; /* NULL: it has left */
    size_t elements[MEMBERS_MAX];        /* of the reply, of each */
};

struct batch_queue {
    struct pool *pool;
    int connections;
    int inside_max; /* messages at once: a thread of libmilter's each */
    int64_t timeout_us;
    pthread_mutex_t mutex; /* never held across I/O; the pool's comes after it */
    struct member *first, **last;
    int waiting;          /* members that are queued or travel */
    int under_way;        /* batches, and leaders that are about to have one */
    int64_t last_sent_us; /* monotonic */
    struct batch *spare;  /* one for the next that starts; NULL: it is made */
};

struct batch_queue *batch_queue_new(struct pool *pool, int connections, int timeout_ms)
{
    struct batch_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    queue->pool = pool;
    queue->connections = connections;
    queue->inside_max = connections > POOL_WAITERS_MAX ? connections : POOL_WAITERS_MAX;
    queue->timeout_us = (int64_t)timeout_ms * 1000;
    queue->last = &queue->first;
    (void)pthread_mutex_init(&queue->mutex, NULL);
    return queue;
}

static void free_batch(struct batch *batch)
{
    if (batch == NULL)
        return;
    text_clear(&batch->request);
    free(batch);
}

void batch_queue_free(struct batch_queue *queue)
{
    if (queue == NULL)
        return;
    free_batch(queue->spare);
    (void)pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

/* From here on all functions but batch_charge run under the queue's lock; those that
 * unlock meanwhile say so. */

static void set_state(struct batch_queue *queue, struct member *member,
                      enum member_state state)
{
    bool waited = member->state == QUEUED || member->state == TRAVELS;
    bool waits = state == QUEUED || state == TRAVELS;
    queue->waiting += waits - waited;
    member->posts += !waits;
    member->state = state;
    if (!waits)
        (void)sem_post(&member->turn);
}

static void finish(struct batch_queue *queue, struct member *member, enum status status)
{
    member->status = status;
    set_state(queue, member, DONE);
}

static void enqueue(struct batch_queue *queue, struct member *member)
{
    *queue->last = member;
    queue->last = &member->next;
}

static void dequeue(struct batch_queue *queue, struct member *member)
{
    struct member **at = &queue->first;
    while (*at != member)
        at = &(*at)->next;
    *at = member->next;
    if (queue->last == &member->next)
        queue->last = at;
    member->next = NULL;
}

/* The first that waits may lead once its patience ends. */
static void wake_first(struct batch_queue *queue)
{
    if (queue->first == NULL)
        return;
    queue->first->posts++;
    (void)sem_post(&queue->first->turn);
}

static void join(struct batch *batch, struct member *member)
{
    member->batch = batch;
    batch->elements[batch->count] = charge_call_elements(member->call);
    batch->members[batch->count++] = member;
}

/* Takes in those who wait, in order. */
static void fill(struct batch_queue *queue, struct batch *batch)
{
    size_t elements = batch->count > 0 ? batch->elements[0] : 0;
    while (queue->first != NULL && batch->count < MEMBERS_MAX) {
        struct member *member = queue->first;
        elements += charge_call_elements(member->call);
        if (batch->count > 0 && elements > ELEMENTS_MAX)
            break;
        dequeue(queue, member);
        set_state(queue, member, TRAVELS);
        join(batch, member);
    }
    wake_first(queue);
}

/* Forgets those who have left, and writes the request of the others. */
static void print(struct batch *batch)
{
    struct charge_call *calls[MEMBERS_MAX];
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct member *member = batch->members[i];
        if (member == NULL)
            continue;
        calls[kept] = member->call;
        batch->elements[kept] = batch->elements[i];
        batch->members[kept++] = member;
    }
    batch->count = kept;
    text_reset(&batch->request);
    if (kept > 0)
        charge_call_print(calls, kept, batch->by_text, &batch->request);
}

/* Prints and sends; unlocks meanwhile. */
static enum status send_batch(struct batch_queue *queue, struct batch *batch,
                              int64_t deadline_us, struct error *error)
{
    enum status status = STATUS_NOMEM;
    print(batch);
    batch->sent_us = clock_monotonic_us();
    queue->last_sent_us = batch->sent_us;
    (void)pthread_mutex_unlock(&queue->mutex);
    if (!batch->request.failed)
        status = connection_send(batch->lease.connection, batch->request.data,
                                 batch->request.length, deadline_us, error);
    (void)pthread_mutex_lock(&queue->mutex);
    return status;
}

static struct batch *take_batch(struct batch_queue *queue)
{
    struct batch *batch = queue->spare;
    queue->spare = NULL;
    return batch != NULL ? batch : calloc(1, sizeof *batch);
}

static void give_batch(struct batch_queue *queue, struct batch *batch)
{
    free_batch(queue->spare);
    queue->spare = batch;
}

/* One batch less is under way: the first that waits leads the next. */
static void pass_on(struct batch_queue *queue)
{
    struct member *first = queue->first;
    if (first == NULL) {
        queue->under_way--;
        return;
    }
    dequeue(queue, first);
    set_state(queue, first, LEADS);
    wake_first(queue);
}

static void finish_all(struct batch_queue *queue, struct batch *batch, enum status status)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->members[i] != NULL)
            finish(queue, batch->members[i], status);
}

/* Ends a batch that got no answer worth the name, and its connection; unlocks meanwhile.
 * hurried: a silence proves nothing. */
static void fail_batch(struct batch_queue *queue, struct batch *batch, enum status status,
                       bool hurried, const char *why)
{
    enum status told = status == STATUS_NOMEM ? STATUS_NOMEM : STATUS_UNAVAILABLE;
    if (connection_has_moved(batch->lease.connection))
        told = STATUS_CONFLICT;
    (void)pthread_mutex_unlock(&queue->mutex);
    if (status == STATUS_UNAVAILABLE)
        pool_trip(queue->pool, &batch->lease, why);
    else if (status == STATUS_IO)
        pool_miss(queue->pool, &batch->lease, hurried ? -1 : batch->sent_us, why);
    else
        pool_drop(queue->pool, &batch->lease);
    (void)pthread_mutex_lock(&queue->mutex);
    finish_all(queue, batch, told);
    give_batch(queue, batch);
    pass_on(queue);
}

/* Hands out the outcomes. UNAVAILABLE when the reply is none; then nobody is done. */
static enum status deliver(struct batch_queue *queue, struct batch *batch,
                           const redisReply *reply, struct error *error)
{
    size_t at = 0;
    if (detour_is_moving(reply)) {
        finish_all(queue, batch, STATUS_CONFLICT);
        return STATUS_OK;
    }
    if (reply->type == REDIS_REPLY_ERROR)
        return connection_refusal(reply, error);
    for (size_t i = 0; i < batch->count; i++) {
        struct member *member = batch->members[i];
        if (member == NULL) {
            charge_call_skip(reply, batch->elements[i], &at);
            continue;
        }
        struct error failure = {0};
        member->status =
            charge_call_take(member->call, reply, &at, member->outcomes, &failure);
        if (member->status == STATUS_INVALID)
            *member->error = failure;
        else if (member->status != STATUS_OK) {
            *error = failure;
            return member->status;
        }
    }
    if (at != reply->elements)
        return error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
    for (size_t i = 0; i < batch->count; i++)
        if (batch->members[i] != NULL)
            finish(queue, batch->members[i], batch->members[i]->status);
    return STATUS_OK;
}

/* Makes one that travels the leader: who has most time. False: nobody is left. */
static bool appoint(struct batch_queue *queue, struct batch *batch, int64_t now_us)
{
    struct member *leader = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        struct member *member = batch->members[i];
        if (member != NULL && member->deadline_us > now_us &&
            (leader == NULL || member->deadline_us > leader->deadline_us))
            leader = member;
    }
    if (leader != NULL)
        set_state(queue, leader, LEADS);
    return leader != NULL;
}

/* After an answer: sends those who wait over the same connection. The caller has its own
 * outcome already, and does not wait for theirs. Unlocks meanwhile. */
static void send_next(struct batch_queue *queue, struct batch *batch, int64_t deadline_us)
{
    struct error error = {0};
    batch->count = 0;
    batch->by_text = false;
    if (queue->first == NULL || !pool_keep(queue->pool, &batch->lease)) {
        (void)pthread_mutex_unlock(&queue->mutex);
        pool_give(queue->pool, &batch->lease, true);
        (void)pthread_mutex_lock(&queue->mutex);
        give_batch(queue, batch);
        pass_on(queue);
        return;
    }
    fill(queue, batch);
    enum status status = send_batch(queue, batch, deadline_us, &error);
    if (status != STATUS_OK)
        fail_batch(queue, batch, status, true, error.text);
    else if (!appoint(queue, batch, clock_monotonic_us()))
        fail_batch(queue, batch, STATUS_NOMEM, true, "");
}

static void leave(struct batch *batch, const struct member *member)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->members[i] == member)
            batch->members[i] = NULL;
}

/* The reply to a batch; by its script's text once, if Redis lost it. Unlocks meanwhile.
 */
static enum status receive(struct batch_queue *queue, struct batch *batch,
                           int64_t deadline_us, redisReply **out_reply,
                           struct error *error)
{
    for (;;) {
        (void)pthread_mutex_unlock(&queue->mutex);
        enum status status =
            connection_receive(batch->lease.connection, deadline_us, out_reply, error);
        (void)pthread_mutex_lock(&queue->mutex);
        if (status != STATUS_OK || batch->by_text ||
            !connection_refuses(*out_reply, "NOSCRIPT"))
            return status;
        freeReplyObject(*out_reply);
        batch->by_text = true;
        status = send_batch(queue, batch, deadline_us, error);
        if (status != STATUS_OK)
            return status;
    }
}

/* The leader reads the reply, or hands over at its deadline; then it is done. */
static void read_reply(struct batch_queue *queue, struct member *self)
{
    struct batch *batch = self->batch;
    struct error error = {0};
    redisReply *reply = NULL;
    enum status status = receive(queue, batch, self->deadline_us, &reply, &error);
    int64_t now_us = clock_monotonic_us();
    if (status == STATUS_IO && now_us >= self->deadline_us) {
        leave(batch, self);
        bool handed_over = appoint(queue, batch, now_us);
        if (!handed_over)
            fail_batch(queue, batch, status,
                       self->deadline_us - batch->sent_us < queue->timeout_us / 2,
                       error.text);
        finish(queue, self, STATUS_UNAVAILABLE);
        return;
    }
    if (status == STATUS_OK) {
        status = deliver(queue, batch, reply, &error);
        freeReplyObject(reply);
    }
    if (status == STATUS_OK)
        send_next(queue, batch, self->deadline_us);
    else
        fail_batch(queue, batch, status, false, error.text);
}

/* A leader without a batch takes a connection, and those who wait into a batch; unlocks
 * meanwhile. False when the leader is done. */
static bool start(struct batch_queue *queue, struct member *self)
{
    struct batch *batch = take_batch(queue);
    struct lease lease;
    struct error error = {0};
    (void)pthread_mutex_unlock(&queue->mutex);
    enum status status = pool_take(queue->pool, self->deadline_us, &lease);
    if (status == STATUS_OK) {
        if (batch == NULL)
            status = STATUS_NOMEM;
        else if (clock_monotonic_us() >= self->deadline_us)
            status = STATUS_UNAVAILABLE;
        if (status != STATUS_OK)
            pool_give(queue->pool, &lease, false);
    }
    (void)pthread_mutex_lock(&queue->mutex);
    if (status != STATUS_OK) {
        give_batch(queue, batch);
        finish(queue, self, status);
        pass_on(queue);
        return false;
    }
    batch->lease = lease;
    batch->by_text = false;
    batch->count = 0;
    join(batch, self);
    fill(queue, batch);
    status = send_batch(queue, batch, self->deadline_us, &error);
    if (status != STATUS_OK)
        fail_batch(queue, batch, status, false, error.text);
    return status == STATUS_OK;
}

/* Sleeps until then at most, without the lock. True when it is done: then the lock is not
 * taken again. self is on this thread's stack: it stays until every post has been taken,
 * since somebody may still be about to post. After that glibc no longer reads it. */
static bool sleep_until(struct batch_queue *queue, struct member *self, int64_t until_us)
{
    const struct timespec until = clock_timespec(until_us);
    (void)pthread_mutex_unlock(&queue->mutex);
    bool posted = sem_clockwait(&self->turn, CLOCK_MONOTONIC, &until) == 0;
    self->taken += posted;
    if (!posted || self->state != DONE) {
        (void)pthread_mutex_lock(&queue->mutex);
        return false;
    }
    while (self->taken < self->posts)
        self->taken += sem_wait(&self->turn) == 0;
    return true;
}

/* Waits until it leads, is done, or its deadline passes. The first of the queue leads a
 * batch of its own when the reply under way takes long. Returns as sleep_until. */
static bool wait_for_turn(struct batch_queue *queue, struct member *self)
{
    bool may_lead = self->state == QUEUED && queue->first == self &&
                    queue->under_way < queue->connections;
    int64_t until_us = self->deadline_us;
    if (may_lead && queue->last_sent_us + PATIENCE_US < until_us)
        until_us = queue->last_sent_us + PATIENCE_US;
    if (sleep_until(queue, self, until_us))
        return true;
    if (self->state == LEADS || self->state == DONE)
        return false;
    int64_t now_us = clock_monotonic_us();
    if (now_us >= self->deadline_us) {
        if (self->state == QUEUED)
            dequeue(queue, self);
        else
            leave(self->batch, self);
        finish(queue, self, STATUS_UNAVAILABLE);
        wake_first(queue);
    } else if (self->state == QUEUED && queue->first == self &&
               queue->under_way < queue->connections &&
               now_us >= queue->last_sent_us + PATIENCE_US) {
        queue->under_way++;
        dequeue(queue, self);
        set_state(queue, self, LEADS);
    }
    return false;
}

enum status batch_charge(struct batch_queue *queue, struct charge_call *call,
                         int64_t deadline_us, struct charge_outcome *out_outcomes,
                         struct error *error)
{
    struct member self = {.call = call,
                          .outcomes = out_outcomes,
                          .error = error,
                          .deadline_us = deadline_us,
                          .state = DONE,
                          .status = STATUS_LIMIT};
    bool locked = true;
    (void)sem_init(&self.turn, 0, 0);
    (void)pthread_mutex_lock(&queue->mutex);
    if (queue->under_way == 0) {
        assert(queue->first == NULL);
        queue->under_way = 1;
        self.state = LEADS;
    } else if (queue->under_way + queue->waiting < queue->inside_max) {
        enqueue(queue, &self);
        set_state(queue, &self, QUEUED);
    }
    while (self.state != DONE) {
        if (self.state != LEADS)
            locked = !wait_for_turn(queue, &self);
        else if (self.batch != NULL || start(queue, &self))
            read_reply(queue, &self);
    }
    if (locked)
        (void)pthread_mutex_unlock(&queue->mutex);
    (void)sem_destroy(&self.turn);
    return self.status;
}
