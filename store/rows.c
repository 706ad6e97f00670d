/* Rows into what policy counts with, and back; and what it costs to forget one. To forget
 * a latch, or copies that were counted, lets through what should be stopped; to forget a
 * window's past stops what should be let through. Latches stay longest, those that stand
 * longest last of all. Then it is the part used up that counts, as what is nearly full
 * again, or has seen a message or two, is forgotten at the smallest loss: a flood of new
 * keys pushes out its own. A past is worth as much as half a window. */
#include "store/rows.h"

#include <stddef.h>

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
    surge.floor = request->whole_floor;
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
    if (request->latch_ms > 0 && state->latch_end_ms > 0)
        outcome.latch_ms = state->latch_end_ms - now_ms;
    outcome.fits = request->cost <= outcome.left;
    return outcome;
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

void rows_write(struct row *row, const struct limiter_request *request,
                const struct limiter_state *state)
{
    void *whole = row;
    row->id = request->id;
    row->latch_end_ms = state->latch_end_ms;
    row->own = state->own;
    row->used = true;
    if (request->is_window)
        write_window(whole, &request->surge, &state->window);
    else
        write_bucket(whole, &request->rate, &state->bucket);
}

struct limiter_request rows_request(const struct row *row, bool is_window)
{
    struct limiter_request request = {.id = row->id, .is_window = is_window};
    if (is_window) {
        const struct window_row *window = window_of(row);
        request.surge = (struct surge){window->factor, window->floor, window->window_ms};
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
    struct limiter_request request = rows_request(row, false);
    struct limiter_state state = rows_read(row, &request, now_ms);
    int64_t missing = request.rate.burst - state.bucket.level;
    if (rate_is_fixed(&request.rate) && missing > 0)
        return permit_loss(bucket_of(row), now_ms);
    int64_t part = missing > 0 ? 1 + missing * PART / request.rate.burst : 0;
    return loss_of(part, bucket_of(row)->stamp_ms, state.latch_end_ms - now_ms);
}

struct loss rows_window_loss(const struct row *row, int64_t now_ms)
{
    struct limiter_request request = rows_request(row, true);
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
