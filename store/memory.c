/* Two tables under one lock, with no I/O below it. A charge first looks, then makes sure
 * of every place, then writes. */
#include "store/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct memory {
    pthread_mutex_t mutex;
    uint64_t changes;
    struct table buckets, windows;
};

/* What one request found and wants. */
struct look {
    struct row *row; /* NULL: not in its table */
    struct limiter_state state;
    bool write;
};

/* The work of one charge. */
struct work {
    struct look *looks;
    struct charge_outcome *outcomes;
    struct limiter_effect *effects;
};

struct memory *memory_new(void)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return NULL;
    if (table_init(&memory->buckets, MEMORY_BUCKET_SETS, sizeof(struct bucket_row),
                   rows_bucket_loss) != STATUS_OK ||
        table_init(&memory->windows, MEMORY_WINDOW_SETS, sizeof(struct window_row),
                   rows_window_loss) != STATUS_OK ||
        pthread_mutex_init(&memory->mutex, NULL) != 0) {
        table_clear(&memory->buckets);
        table_clear(&memory->windows);
        free(memory);
        return NULL;
    }
    return memory;
}

void memory_free(struct memory *memory)
{
    if (memory == NULL)
        return;
    (void)pthread_mutex_destroy(&memory->mutex);
    table_clear(&memory->buckets);
    table_clear(&memory->windows);
    free(memory);
}

static const struct table *table_of(const struct memory *memory,
                                    const struct limiter_request *request)
{
    return request->is_window ? &memory->windows : &memory->buckets;
}

static void look_at(struct memory *memory, const struct limiter_request *request,
                    int64_t now_ms, struct look *look)
{
    assert(request->cost >= 0 && request->latch_ms >= 0);
    look->row = table_find(table_of(memory, request), &request->id);
    look->state = rows_read(look->row, request, now_ms);
    look->write = look->row != NULL && look->state.healed;
    if (look->row != NULL) {
        assert(!look->row->held); /* the same one twice in one call */
        look->row->held = true;
    }
}

static void release(struct look *looks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (looks[i].row != NULL)
            looks[i].row->held = false;
}

static void take(struct limiter_state *state, const struct limiter_request *request,
                 int64_t now_ms)
{
    if (request->is_window)
        window_count(&state->window, request->cost, now_ms);
    else
        (void)bucket_take(&state->bucket, request->cost);
}

/* Effect i of a work. A latch that is renewed only because it stands remains whose it
 * was: one that the shared store may have lost since is not to come back through us. */
static void apply(const struct limiter_request *request, const struct work *work,
                  size_t i, int64_t now_ms)
{
    const struct limiter_effect *effect = &work->effects[i];
    struct look *look = &work->looks[i];
    if (effect->takes)
        take(&look->state, request, now_ms);
    if (effect->brakes)
        window_brake(&look->state.window);
    if (effect->latches) {
        look->state.latch_end_ms = now_ms + request->latch_ms;
        look->state.own = look->state.own || !work->outcomes[i].fits;
    }
    look->write = look->write || effect->takes || effect->latches ||
                  (effect->brakes && look->row != NULL);
}

/* Makes sure of a place for what is to be written. */
static bool find_place(struct memory *memory, const struct limiter_request *request,
                       int64_t now_ms, struct look *look)
{
    if (look->write && look->row == NULL)
        look->row = table_reserve(table_of(memory, request), &request->id, now_ms);
    return !look->write || look->row != NULL;
}

static void write_back(struct memory *memory, const struct limiter_request *requests,
                       size_t count, const struct look *looks)
{
    for (size_t i = 0; i < count; i++) {
        if (!looks[i].write)
            continue;
        rows_write(looks[i].row, &requests[i], &looks[i].state);
        memory->changes++;
    }
}

/* Under the lock. */
static enum status charge(struct memory *memory, const struct limiter_request *requests,
                          size_t count, const struct work *work, enum charge_mode mode,
                          int64_t now_ms)
{
    bool placed = true;
    for (size_t i = 0; i < count; i++) {
        look_at(memory, &requests[i], now_ms, &work->looks[i]);
        work->outcomes[i] = rows_outcome(&work->looks[i].state, &requests[i], now_ms);
    }
    limiter_request_settle(requests, count, work->outcomes, mode, work->effects);
    for (size_t i = 0; i < count && mode != CHARGE_PEEK && placed; i++) {
        apply(&requests[i], work, i, now_ms);
        placed = find_place(memory, &requests[i], now_ms, &work->looks[i]);
    }
    if (placed && mode != CHARGE_PEEK)
        write_back(memory, requests, count, work->looks);
    release(work->looks, count);
    return placed ? STATUS_OK : STATUS_UNAVAILABLE;
}

enum status memory_charge(struct memory *memory, const struct limiter_request *requests,
                          size_t count, enum charge_mode mode, int64_t now_ms,
                          struct charge_outcome *out_outcomes)
{
    enum status status = STATUS_NOMEM;
    struct work work = {.looks = calloc(count + 1, sizeof *work.looks),
                        .outcomes = calloc(count + 1, sizeof *work.outcomes),
                        .effects = calloc(count + 1, sizeof *work.effects)};
    if (work.looks != NULL && work.outcomes != NULL && work.effects != NULL) {
        (void)pthread_mutex_lock(&memory->mutex);
        status = charge(memory, requests, count, &work, mode, now_ms);
        (void)pthread_mutex_unlock(&memory->mutex);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        out_outcomes[i] = work.outcomes[i];
    free(work.looks);
    free(work.outcomes);
    free(work.effects);
    return status;
}

/* What is to be changed in a state; false: nothing. */
static bool amend(const struct limiter_request *request, enum amend what, int64_t now_ms,
                  struct look *look)
{
    struct limiter_state *state = &look->state;
    switch (what) {
    case AMEND_RESET:
        state->bucket =
            request->is_window ? state->bucket : bucket_full(&request->rate, now_ms);
        window_empty(&state->window);
        state->latch_end_ms = 0;
        return look->row != NULL;
    case AMEND_UNLATCH:
        state->latch_end_ms = 0;
        return look->row != NULL;
    case AMEND_TRAIN:
        if (request->is_window)
            window_train(&state->window, request->cost, now_ms);
        return request->is_window && (request->cost > 0 || look->row != NULL);
    }
    return false;
}

enum status memory_amend(struct memory *memory, const struct limiter_request *requests,
                         size_t count, enum amend what, int64_t now_ms)
{
    bool placed = true;
    (void)pthread_mutex_lock(&memory->mutex);
    for (size_t i = 0; i < count && placed; i++) {
        struct look look;
        look_at(memory, &requests[i], now_ms, &look);
        look.write = amend(&requests[i], what, now_ms, &look);
        placed = find_place(memory, &requests[i], now_ms, &look);
        if (placed)
            write_back(memory, &requests[i], 1, &look);
        release(&look, 1);
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    return placed ? STATUS_OK : STATUS_UNAVAILABLE;
}

void memory_window(struct memory *memory, const struct limiter_request *request,
                   int64_t now_ms, struct window *out)
{
    assert(request->is_window);
    (void)pthread_mutex_lock(&memory->mutex);
    const struct row *row = table_find(&memory->windows, &request->id);
    *out = rows_read(row, request, now_ms).window;
    (void)pthread_mutex_unlock(&memory->mutex);
}

void memory_recall(struct memory *memory, const struct limiter_request *requests,
                   size_t count, int64_t now_ms, int64_t *out_own_ms)
{
    (void)pthread_mutex_lock(&memory->mutex);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = NULL;
        if (requests[i].latch_ms > 0)
            row = table_find(table_of(memory, &requests[i]), &requests[i].id);
        out_own_ms[i] = 0;
        if (row == NULL || !row->own)
            continue;
        struct limiter_state state = rows_read(row, &requests[i], now_ms);
        out_own_ms[i] = rows_outcome(&state, &requests[i], now_ms).latch_ms;
    }
    (void)pthread_mutex_unlock(&memory->mutex);
}

/* True when an observation is new. A latch that the shared store has not heard of stays.
 */
static bool see(const struct limiter_request *request,
                const struct observation *observation, int64_t now_ms,
                struct limiter_state *state)
{
    struct window *window = &state->window;
    bool changed = false;
    if (!state->own || observation->told) {
        int64_t end_ms = observation->latch_ms > 0 ? now_ms + observation->latch_ms : 0;
        changed = state->own || end_ms > 0 || state->latch_end_ms > 0;
        state->latch_end_ms = end_ms;
        state->own = false;
    }
    int64_t usual = window->past_count == 1 ? window->past[0].copies : 0;
    if (request->is_window && (window->past_count > 1 || usual != observation->copies)) {
        window->past_count = observation->copies > 0 ? 1 : 0;
        window->past[0] = (struct window_past){now_ms, observation->copies};
        changed = true;
    }
    return changed;
}

void memory_mirror(struct memory *memory, const struct limiter_request *requests,
                   const struct observation *observations, size_t count, int64_t now_ms)
{
    (void)pthread_mutex_lock(&memory->mutex);
    for (size_t i = 0; i < count; i++) {
        struct look look;
        if (requests[i].latch_ms == 0 && !requests[i].is_window)
            continue;
        look_at(memory, &requests[i], now_ms, &look);
        look.write = see(&requests[i], &observations[i], now_ms, &look.state);
        if (find_place(memory, &requests[i], now_ms, &look)) /* else it is not mirrored */
            write_back(memory, &requests[i], 1, &look);
        release(&look, 1);
    }
    (void)pthread_mutex_unlock(&memory->mutex);
}

/* Row i of both tables, buckets first. */
static struct row *row_at(const struct memory *memory, size_t i, bool *out_is_window)
{
    const size_t buckets = (size_t)MEMORY_BUCKET_SETS * MEMORY_WAYS;
    *out_is_window = i >= buckets;
    return *out_is_window ? table_row(&memory->windows, i - buckets)
                          : table_row(&memory->buckets, i);
}

size_t memory_export(struct memory *memory, int64_t now_ms, size_t *set,
                     struct memory_record *out, size_t capacity)
{
    size_t count = 0;
    assert(capacity >= MEMORY_WAYS);
    (void)pthread_mutex_lock(&memory->mutex);
    for (; *set < MEMORY_SETS && capacity - count >= MEMORY_WAYS; ++*set) {
        for (size_t i = *set * MEMORY_WAYS; i < (*set + 1) * MEMORY_WAYS; i++) {
            bool is_window;
            const struct row *row = row_at(memory, i, &is_window);
            if (!row->used)
                continue;
            struct limiter_request request = rows_request(row, is_window);
            if (table_of(memory, &request)->loss(row, now_ms).amount == 0)
                continue;
            out[count++] =
                (struct memory_record){request, rows_read(row, &request, now_ms)};
        }
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    return count;
}

void memory_import(struct memory *memory, const struct memory_record *record,
                   int64_t now_ms)
{
    struct look look = {.state = record->state, .write = true};
    const struct limiter_request *request = &record->request;
    assert(request->is_window ? surge_is_valid(&request->surge)
                              : rate_is_valid(&request->rate));
    (void)pthread_mutex_lock(&memory->mutex);
    look.row = table_find(table_of(memory, request), &request->id);
    if (find_place(memory, request, now_ms, &look))
        rows_write(look.row, request, &record->state);
    release(&look, 1);
    (void)pthread_mutex_unlock(&memory->mutex);
}

uint64_t memory_changes(struct memory *memory)
{
    (void)pthread_mutex_lock(&memory->mutex);
    uint64_t changes = memory->changes;
    (void)pthread_mutex_unlock(&memory->mutex);
    return changes;
}
