/* Three tables under one lock, with no I/O below it. A charge first looks, then makes
 * sure of every place, then writes. */
#include "store/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/client_places.h"

struct memory {
    pthread_mutex_t mutex;
    uint64_t changes;
    struct limiter_table buckets, windows, clients;
    struct client_places places; /* of clients */
    struct limiter_table *full;  /* may grow, and had no place for a charge; or NULL */
};

/* The row of one request, and what becomes of it. */
struct row_access {
    struct row *row; /* NULL: not in its table */
    struct limiter_state state;
    bool write;
};

/* The work of one charge, one of each a request. */
struct charge_work {
    struct row_access *accesses; /* the other two stand behind them in the same memory */
    struct charge_outcome *outcomes;
    struct limiter_effect *effects;
};

static void clear_tables(struct memory *memory)
{
    client_places_clear(&memory->places, &memory->clients);
    limiter_table_clear(&memory->clients);
    limiter_table_clear(&memory->windows);
    limiter_table_clear(&memory->buckets);
}

struct memory *memory_new(void)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return NULL;
    if (limiter_table_init(&memory->buckets, MEMORY_BUCKET_SETS,
                           sizeof(struct bucket_row), rows_bucket_loss) != STATUS_OK ||
        limiter_table_init(&memory->windows, MEMORY_WINDOW_SETS,
                           sizeof(struct window_row), rows_window_loss) != STATUS_OK ||
        limiter_table_init(&memory->clients, MEMORY_CLIENT_SETS,
                           sizeof(struct client_row), rows_clients_loss) != STATUS_OK ||
        pthread_mutex_init(&memory->mutex, NULL) != 0) {
        clear_tables(memory);
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
    clear_tables(memory);
    free(memory);
}

void memory_let_grow(struct memory *memory)
{
    memory->buckets.keeps = true;
    memory->windows.keeps = true;
}

static const struct limiter_table *table_of(const struct memory *memory,
                                            const struct limiter_request *request)
{
    if (request->is_window)
        return &memory->windows;
    return request->has_clients ? &memory->clients : &memory->buckets;
}

static void access_row(struct memory *memory, const struct limiter_request *request,
                       int64_t now_ms, struct row_access *access)
{
    assert(request->cost >= 0 && request->latch_ms >= 0);
    access->row = limiter_table_find(table_of(memory, request), &request->id);
    access->state = rows_read(access->row, request, now_ms);
    if (request->bounded)
        rows_bound(&access->state, request, now_ms);
    access->write = access->row != NULL && access->state.healed;
    if (access->row != NULL) {
        assert(!access->row->held); /* the same one twice in one call */
        access->row->held = true;
    }
}

static void release(struct row_access *accesses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (accesses[i].row != NULL)
            accesses[i].row->held = false;
}

/* Applies effect i. A latch that is renewed keeps its origin: one that was taken off in
 * the shared store meanwhile must not come back through us. */
static void apply(const struct limiter_request *request,
                  const struct charge_work *charge_work, size_t i, int64_t now_ms)
{
    const struct limiter_effect *effect = &charge_work->effects[i];
    const struct charge_outcome *outcome = &charge_work->outcomes[i];
    struct row_access *access = &charge_work->accesses[i];
    rows_apply(&access->state, request, effect, now_ms);
    if (effect->latches && outcome->latch_ms == 0)
        access->state.own = true;
    access->write = access->write || effect->takes || effect->learns || effect->latches ||
                    (effect->brakes && access->row != NULL);
}

/* Finds a row for what is to be written. */
static bool find_place(struct memory *memory, const struct limiter_request *request,
                       int64_t now_ms, struct row_access *access)
{
    const struct limiter_table *table = table_of(memory, request);
    if (access->write && access->row == NULL)
        access->row = limiter_table_reserve(table, &request->id, now_ms);
    if (!access->write)
        return true;
    if (access->row == NULL) {
        if (table->keeps)
            memory->full = request->is_window ? &memory->windows : &memory->buckets;
        return false;
    }
    return !access->state.clients.taken ||
           client_places_make(&memory->places, &memory->clients, access->row, request,
                              now_ms);
}

/* True when the table that was full has more places, or gives away what it has. */
static bool grow(struct memory *memory)
{
    struct limiter_table *table = memory->full;
    const size_t sets =
        table == &memory->windows ? MEMORY_WINDOW_SETS : MEMORY_BUCKET_SETS;
    if (table == NULL)
        return false;
    memory->full = NULL;
    if (table->sets >= sets * MEMORY_GROWTH_MAX ||
        limiter_table_double(table) != STATUS_OK)
        table->keeps = false;
    return true;
}

static void write_back(struct memory *memory, const struct limiter_request *requests,
                       size_t count, const struct row_access *accesses)
{
    for (size_t i = 0; i < count; i++) {
        if (!accesses[i].write)
            continue;
        rows_write(accesses[i].row, &requests[i], &accesses[i].state);
        memory->changes++;
    }
}

/* False: out of memory. */
static bool make_work(size_t count, struct charge_work *out)
{
    size_t each = sizeof *out->accesses + sizeof *out->outcomes + sizeof *out->effects;
    out->accesses = count < SIZE_MAX / each ? malloc((count + 1) * each) : NULL;
    if (out->accesses == NULL)
        return false;
    out->outcomes = (void *)(out->accesses + count);
    out->effects = (void *)(out->outcomes + count);
    return true;
}

/* Under the lock. */
static enum status charge(struct memory *memory, const struct limiter_request *requests,
                          size_t count, const struct charge_work *charge_work,
                          enum charge_mode mode, int64_t now_ms)
{
    bool placed = true;
    for (size_t i = 0; i < count; i++) {
        access_row(memory, &requests[i], now_ms, &charge_work->accesses[i]);
        charge_work->outcomes[i] =
            rows_outcome(&charge_work->accesses[i].state, &requests[i], now_ms);
    }
    limiter_request_settle(requests, count, charge_work->outcomes, mode,
                           charge_work->effects);
    for (size_t i = 0; i < count && mode != CHARGE_PEEK && placed; i++) {
        apply(&requests[i], charge_work, i, now_ms);
        placed = find_place(memory, &requests[i], now_ms, &charge_work->accesses[i]);
    }
    if (placed && mode != CHARGE_PEEK)
        write_back(memory, requests, count, charge_work->accesses);
    release(charge_work->accesses, count);
    return placed ? STATUS_OK : STATUS_UNAVAILABLE;
}

enum status memory_charge(struct memory *memory, const struct limiter_request *requests,
                          size_t count, enum charge_mode mode, int64_t now_ms,
                          struct charge_outcome *out_outcomes)
{
    struct charge_work charge_work;
    if (!make_work(count, &charge_work))
        return STATUS_NOMEM;
    (void)pthread_mutex_lock(&memory->mutex);
    enum status status;
    do {
        status = charge(memory, requests, count, &charge_work, mode, now_ms);
    } while (status == STATUS_UNAVAILABLE && grow(memory));
    (void)pthread_mutex_unlock(&memory->mutex);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        out_outcomes[i] = charge_work.outcomes[i];
    free(charge_work.accesses);
    return status;
}

/* What is to be changed in a state; false: nothing. */
static bool amend(const struct limiter_request *request, enum amend what, int64_t now_ms,
                  struct row_access *access)
{
    struct limiter_state *state = &access->state;
    switch (what) {
    case AMEND_RESET:
        state->bucket =
            request->is_window ? state->bucket : bucket_full(&request->rate, now_ms);
        window_empty(&state->window);
        state->clients.emptied = true;
        state->latch_end_ms = 0;
        return access->row != NULL;
    case AMEND_UNLATCH:
        state->latch_end_ms = 0;
        return access->row != NULL;
    case AMEND_TRAIN:
        if (request->is_window)
            window_train(&state->window, request->cost, now_ms);
        return request->is_window && (request->cost > 0 || access->row != NULL);
    }
    return false;
}

enum status memory_amend(struct memory *memory, const struct limiter_request *requests,
                         size_t count, enum amend what, int64_t now_ms)
{
    bool placed = true;
    (void)pthread_mutex_lock(&memory->mutex);
    for (size_t i = 0; i < count && placed; i++) {
        struct row_access access;
        access_row(memory, &requests[i], now_ms, &access);
        access.write = amend(&requests[i], what, now_ms, &access);
        placed = find_place(memory, &requests[i], now_ms, &access);
        if (placed)
            write_back(memory, &requests[i], 1, &access);
        release(&access, 1);
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    return placed ? STATUS_OK : STATUS_UNAVAILABLE;
}

void memory_window(struct memory *memory, const struct limiter_request *request,
                   int64_t now_ms, struct window *out)
{
    assert(request->is_window);
    (void)pthread_mutex_lock(&memory->mutex);
    const struct row *row = limiter_table_find(&memory->windows, &request->id);
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
            row = limiter_table_find(table_of(memory, &requests[i]), &requests[i].id);
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
    if (!state->own || observation->reported) {
        int64_t end_ms = observation->latch_ms > 0 ? now_ms + observation->latch_ms : 0;
        changed = state->own || end_ms > 0 || state->latch_end_ms > 0;
        state->latch_end_ms = end_ms;
        state->own = false;
    }
    state->clients.taken = observation->taken;
    changed = changed || observation->taken;
    if (request->permit && observation->copies < state->bucket.level) {
        state->bucket.level = observation->copies;
        changed = true;
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
        struct row_access access;
        if (requests[i].latch_ms == 0 && !requests[i].is_window && !requests[i].permit &&
            !observations[i].taken)
            continue;
        access_row(memory, &requests[i], now_ms, &access);
        access.write = see(&requests[i], &observations[i], now_ms, &access.state);
        if (find_place(memory, &requests[i], now_ms,
                       &access)) /* else it is not mirrored */
            write_back(memory, &requests[i], 1, &access);
        release(&access, 1);
    }
    (void)pthread_mutex_unlock(&memory->mutex);
}

/* Row i of all tables, buckets first, then windows. */
static struct row *row_at(const struct memory *memory, size_t i, enum row_kind *out_kind)
{
    const size_t buckets = (size_t)MEMORY_BUCKET_SETS * MEMORY_WAYS;
    const size_t windows = (size_t)MEMORY_WINDOW_SETS * MEMORY_WAYS;
    if (i < buckets) {
        *out_kind = ROW_BUCKET;
        return limiter_table_row(&memory->buckets, i);
    }
    if (i < buckets + windows) {
        *out_kind = ROW_WINDOW;
        return limiter_table_row(&memory->windows, i - buckets);
    }
    *out_kind = ROW_CLIENTS;
    return limiter_table_row(&memory->clients, i - buckets - windows);
}

static void copy_record(const struct row *row, const struct limiter_request *request,
                        int64_t now_ms, struct memory_record *out)
{
    out->request = *request;
    out->state = rows_read(row, request, now_ms);
    out->client_count = 0;
    struct client_set set = {0};
    if (request->has_clients)
        set = rows_clients(row);
    if (set.count == 0)
        return;
    out->client_count = set.count;
    memcpy(out->clients, set.entries, set.count * sizeof *set.entries);
}

size_t memory_export(struct memory *memory, int64_t now_ms, size_t *set,
                     struct memory_record *out, size_t capacity)
{
    size_t count = 0;
    assert(capacity >= MEMORY_WAYS);
    (void)pthread_mutex_lock(&memory->mutex);
    for (; *set < MEMORY_SETS && capacity - count >= MEMORY_WAYS; ++*set) {
        for (size_t i = *set * MEMORY_WAYS; i < (*set + 1) * MEMORY_WAYS; i++) {
            enum row_kind kind;
            const struct row *row = row_at(memory, i, &kind);
            if (!row->used)
                continue;
            struct limiter_request request = rows_request(row, kind);
            if (table_of(memory, &request)->loss(row, now_ms).amount == 0)
                continue;
            copy_record(row, &request, now_ms, &out[count++]);
        }
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    return count;
}

/* One after the other, as they came; a share may have seen more than it takes. */
static void import_clients(struct memory *memory, const struct memory_record *record,
                           int64_t now_ms, struct row_access *access)
{
    struct limiter_request request = record->request;
    request.whole = CLIENT_SET_MAX;
    for (size_t i = 0; i < record->client_count; i++) {
        request.client = record->clients[i].client;
        access->state.clients =
            (struct client_state){.now_ms = record->clients[i].stamp_ms, .taken = true};
        if (!find_place(memory, &request, now_ms, access))
            return;
        rows_write(access->row, &request, &access->state);
    }
}

void memory_import(struct memory *memory, const struct memory_record *record,
                   int64_t now_ms)
{
    struct row_access access = {.state = record->state, .write = true};
    const struct limiter_request *request = &record->request;
    assert(request->is_window
               ? surge_is_valid(&request->surge)
               : rate_is_valid(&request->rate) || rate_is_fixed(&request->rate));
    (void)pthread_mutex_lock(&memory->mutex);
    access.row = limiter_table_find(table_of(memory, request), &request->id);
    if (find_place(memory, request, now_ms, &access))
        rows_write(access.row, request, &record->state);
    import_clients(memory, record, now_ms, &access);
    release(&access, 1);
    (void)pthread_mutex_unlock(&memory->mutex);
}

uint64_t memory_changes(struct memory *memory)
{
    (void)pthread_mutex_lock(&memory->mutex);
    uint64_t changes = memory->changes;
    (void)pthread_mutex_unlock(&memory->mutex);
    return changes;
}
