/* Rows into what policy counts with, and back; and what it costs to forget one. To forget
 * a latch, or copies that were counted, lets through what should be stopped; to forget a
 * window's past stops what should be let through. Latches stay longest, those that stand
 * longest last of all. Then it is the part used up that counts, as what is nearly full
 * again, or has seen a message or two, is forgotten at the smallest loss: a flood of new
 * keys pushes out its own. A past is worth as much as half a window. To forget clients
 * lets a stolen password be used from as many again. */
#include "store/rows.h"

#include <stddef.h>
#include <string.h>

#define PART INT64_C(1000000000) /* all of it used up */
#define LATCHED (2 * PART)

static const int64_t latch_max_ms = RATE_PERIOD_MAX_MS;

static const struct bucket_row *bucket_of(const struct row *row)
{
    const void *whole = row;
    return whole;
}

static const struct window_row *window_of(const struct row *row)
{
    const void *whole = row;
    return whole;
}

static const struct client_row *clients_of(const struct row *row)
{
    const void *whole = row;
    return whole;
}

struct client_set rows_clients(const struct row *row)
{
    const struct client_row *clients = clients_of(row);
    return (struct client_set){clients->entries, clients->count};
}

size_t rows_client_room(const struct limiter_request *request)
{
    return (size_t)(request->whole > 0 ? request->whole : request->rate.burst);
}

static struct window unpack(const struct window_row *row)
{
    struct window window = {.start_ms = row->start_ms,
                            .copies = row->copies,
                            .trained = row->trained,
                            .braked = row->braked,
                            .past_count = row->past_count};
    for (size_t i = 0; i < window.past_count; i++)
        window.past[i] = (struct window_past){row->past_end_ms[i], row->past_copies[i]};
    return window;
}

static bool lies_ahead(const struct window *window, int64_t now_ms)
{
    bool ahead = window_is_open(window) && window->start_ms > now_ms;
    for (size_t i = 0; i < window->past_count; i++)
        ahead = ahead || window->past[i].end_ms > now_ms;
    return ahead;
}

/* A latch never stands longer than its rule sets it for. A rule without one sees none,
 * and leaves alone what it finds. */
static void clamp(struct limiter_state *state, const struct limiter_request *request,
                  int64_t now_ms)
{
    int64_t most = now_ms + (request->latch_ms > 0 ? request->latch_ms : latch_max_ms);
    if (state->latch_end_ms > most) {
        state->latch_end_ms = most;
        state->healed = true;
    }
}

static void read_clients(const struct row *row, const struct limiter_request *request,
                         int64_t now_ms, struct limiter_state *state)
{
    struct client_set set = {0};
    if (row != NULL)
        set = rows_clients(row);
    struct rate whole = request->rate;
    whole.burst = request->whole;
    state->healed = client_set_lies_ahead(&set, now_ms);
    state->clients = (struct client_state){
        .left = client_set_left(&set, &request->rate, request->client, now_ms),
        .now_ms = now_ms};
    if (request->whole > 0)
        state->clients.whole_left =
            client_set_left(&set, &whole, request->client, now_ms);
}

struct limiter_state rows_read(const struct row *row,
                               const struct limiter_request *request, int64_t now_ms)
{
    struct limiter_state state = {0};
    if (row != NULL && row->latch_end_ms > now_ms) {
        state.latch_end_ms = row->latch_end_ms;
        state.own = row->own;
    }
    if (request->is_window) {
        if (row != NULL)
            state.window = unpack(window_of(row));
        state.healed = lies_ahead(&state.window, now_ms);
        window_roll(&state.window, &request->surge, now_ms);
    } else if (request->has_clients) {
        read_clients(row, request, now_ms, &state);
    } else if (row == NULL) {
        state.bucket = bucket_full(&request->rate, now_ms);
    } else {
        const struct bucket_row *bucket = bucket_of(row);
        /* Another period than the row's when nodes was changed: its rest has another
         * unit and is dropped. */
        int64_t rest = bucket->period_ms == request->rate.period_ms ? bucket->rest : 0;
        state.bucket = (struct bucket){bucket->level, rest, bucket->stamp_ms};
        state.healed = bucket->stamp_ms > now_ms;
        bucket_refill(&state.bucket, &request->rate, now_ms);
    }
    clamp(&state, request, now_ms);
    return state;
}

/* What all relays together may hold, if the others have as much of a past. */
static int64_t whole_size(const struct window *window,
                          const struct limiter_request *request)
{
    struct window whole = *window;
    struct surge surge = request->surge;
    surge.floor = request->whole;
    for (size_t i = 0; i < whole.past_count; i++) {
        int64_t copies = whole.past[i].copies * request->nodes;
        whole.past[i].copies = copies < WINDOW_COPIES_MAX ? copies : WINDOW_COPIES_MAX;
    }
    return window_size(&whole, &surge);
}

struct charge_outcome rows_outcome(const struct limiter_state *state,
                                   const struct limiter_request *request, int64_t now_ms)
{
    struct charge_outcome outcome = {.left = state->bucket.level,
                                     .burst = request->rate.burst};
    if (request->is_window) {
        outcome.left = window_left(&state->window, &request->surge);
        outcome.burst = window_size(&state->window, &request->surge);
        if (request->nodes > 0)
            outcome.whole = whole_size(&state->window, request);
    }
    if (request->has_clients) {
        outcome.left = state->clients.left;
        outcome.whole = state->clients.whole_left;
    }
    if (request->latch_ms > 0 && state->latch_end_ms > 0)
        outcome.latch_ms = state->latch_end_ms - now_ms;
    outcome.fits = request->cost <= outcome.left;
    return outcome;
}

void rows_bound(struct limiter_state *state, const struct limiter_request *request,
                int64_t now_ms)
{
    struct window *window = &state->window;
    if (!request->is_window) {
        if (request->bound < state->bucket.level)
            state->bucket = (struct bucket){request->bound, 0, now_ms};
        return;
    }
    if (request->bound == 0 ||
        now_ms - request->bound_start_ms >= request->surge.window_ms)
        return;
    if (!window_is_open(window))
        window->start_ms = request->bound_start_ms;
    if (window->copies < request->bound)
        window->copies = request->bound;
}

static void take(struct limiter_state *state, const struct limiter_request *request,
                 int64_t now_ms)
{
    if (request->is_window)
        window_count(&state->window, request->cost, now_ms);
    else if (request->has_clients)
        state->clients.taken = true;
    else
        (void)bucket_take(&state->bucket, request->cost);
}

void rows_apply(struct limiter_state *state, const struct limiter_request *request,
                const struct limiter_effect *effect, int64_t now_ms)
{
    if (effect->takes)
        take(state, request, now_ms);
    if (effect->learns)
        window_announce(&state->window, request->cost, now_ms);
    if (effect->brakes)
        window_brake(&state->window);
    if (effect->latches)
        state->latch_end_ms = now_ms + request->latch_ms;
}

static void write_bucket(struct bucket_row *row, const struct rate *rate,
                         const struct bucket *bucket)
{
    row->rest = bucket->rest;
    row->stamp_ms = bucket->stamp_ms;
    row->period_ms = rate->period_ms;
    row->level = (int32_t)bucket->level;
    row->tokens = (int32_t)rate->tokens;
    row->burst = (int32_t)rate->burst;
}

static void write_window(struct window_row *row, const struct surge *surge,
                         const struct window *window)
{
    row->start_ms = window->start_ms;
    row->window_ms = surge->window_ms;
    row->copies = (int32_t)window->copies;
    row->trained = (int32_t)window->trained;
    row->braked = window->braked;
    row->factor = (int32_t)surge->factor;
    row->floor = (int32_t)surge->floor;
    row->past_count = (uint8_t)window->past_count;
    for (size_t i = 0; i < window->past_count; i++) {
        row->past_end_ms[i] = window->past[i].end_ms;
        row->past_copies[i] = (int32_t)window->past[i].copies;
    }
}

bool rows_is_of(const struct row *row, const struct limiter_request *request)
{
    return row->used && memcmp(&row->id, &request->id, sizeof row->id) == 0;
}

/* is_other: the row has been that of another set. */
static void write_clients(struct client_row *row, bool is_other,
                          const struct limiter_request *request,
                          const struct limiter_state *state)
{
    const struct client_state *clients = &state->clients;
    struct client_set set = rows_clients(&row->row);
    if (is_other || clients->emptied)
        set.count = 0;
    client_set_roll(&set, request->rate.period_ms, clients->now_ms);
    if (clients->taken)
        client_set_take(&set, rows_client_room(request), request->client,
                        clients->now_ms);
    row->count = (uint16_t)set.count;
    row->limit = (uint16_t)request->rate.burst;
    row->period_ms = request->rate.period_ms;
}

void rows_write(struct row *row, const struct limiter_request *request,
                const struct limiter_state *state)
{
    void *whole = row;
    bool is_other = !rows_is_of(row, request);
    row->id = request->id;
    row->latch_end_ms = state->latch_end_ms;
    row->own = state->own;
    row->used = true;
    if (request->is_window)
        write_window(whole, &request->surge, &state->window);
    else if (request->has_clients)
        write_clients(whole, is_other, request, state);
    else
        write_bucket(whole, &request->rate, &state->bucket);
}

struct limiter_request rows_request(const struct row *row, enum row_kind kind)
{
    struct limiter_request request = {.id = row->id,
                                      .is_window = kind == ROW_WINDOW,
                                      .has_clients = kind == ROW_CLIENTS};
    if (kind == ROW_WINDOW) {
        const struct window_row *window = window_of(row);
        request.surge = (struct surge){window->factor, window->floor, window->window_ms};
    } else if (kind == ROW_CLIENTS) {
        const struct client_row *clients = clients_of(row);
        request.rate = (struct rate){clients->limit, clients->period_ms, clients->limit};
    } else {
        const struct bucket_row *bucket = bucket_of(row);
        request.rate = (struct rate){bucket->tokens, bucket->period_ms, bucket->burst};
    }
    return request;
}

static struct loss loss_of(int64_t part, int64_t since_ms, int64_t latch_left_ms)
{
    struct loss loss = {.amount = part, .since_ms = since_ms};
    if (latch_left_ms > 0)
        loss.amount = LATCHED + latch_left_ms;
    return loss;
}

/* A permit that is forgotten could be spent again: it stays like a latch, for as long as
 * it can be valid. */
static struct loss permit_loss(const struct bucket_row *row, int64_t now_ms)
{
    int64_t left_ms = row->stamp_ms + row->period_ms - now_ms;
    return (struct loss){.amount = left_ms > 0 ? LATCHED + left_ms : 0,
                         .since_ms = row->stamp_ms};
}

struct loss rows_bucket_loss(const struct row *row, int64_t now_ms)
{
    struct limiter_request request = rows_request(row, ROW_BUCKET);
    struct limiter_state state = rows_read(row, &request, now_ms);
    int64_t missing = request.rate.burst - state.bucket.level;
    if (rate_is_fixed(&request.rate) && missing > 0)
        return permit_loss(bucket_of(row), now_ms);
    int64_t part = missing > 0 ? 1 + missing * PART / request.rate.burst : 0;
    return loss_of(part, bucket_of(row)->stamp_ms, state.latch_end_ms - now_ms);
}

struct loss rows_window_loss(const struct row *row, int64_t now_ms)
{
    struct limiter_request request = rows_request(row, ROW_WINDOW);
    struct limiter_state state = rows_read(row, &request, now_ms);
    const struct window *window = &state.window;
    int64_t size = window_size(window, &request.surge);
    int64_t part = 0;
    if (window_is_open(window))
        part = window->copies < size ? 1 + window->copies * PART / size : 1 + PART;
    if (window->past_count > 0 && part < PART / 2)
        part = PART / 2;
    return loss_of(part, window->start_ms, state.latch_end_ms - now_ms);
}

/* A set of a share may have more clients than the share takes. */
struct loss rows_clients_loss(const struct row *row, int64_t now_ms)
{
    struct limiter_request request = rows_request(row, ROW_CLIENTS);
    struct limiter_state state = rows_read(row, &request, now_ms);
    const struct client_set set = rows_clients(row);
    int64_t count = request.rate.burst - state.clients.left;
    int64_t part = count > 0 ? 1 + count * PART / request.rate.burst : 0;
    int64_t since_ms = set.count > 0 ? set.entries[set.count - 1].stamp_ms : 0;
    return loss_of(part, since_ms, state.latch_end_ms - now_ms);
}
