/* How buckets, windows and sets of clients lie in the tables of memory. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "store/limiter_table.h"

/* Levels, rates and copies are at most 10^9 and fit 32 bits. */
struct bucket_row {
    struct row row;
    int64_t rest, stamp_ms, period_ms;
    int32_t level, tokens, burst;
};

struct window_row {
    struct row row;
    int64_t start_ms, window_ms;
    int64_t past_end_ms[WINDOW_PAST_MAX];
    int32_t past_copies[WINDOW_PAST_MAX];
    int32_t copies, trained;
    int32_t factor, floor;
    uint8_t past_count;
    bool braked;
};

struct client_row {
    struct row row;
    int64_t period_ms;
    struct client_entry *entries; /* owned (client_places.h); NULL: there is no room */
    uint16_t limit, count, room;  /* of clients */
};

/* Of a set of clients: what was seen in its row, and what is to become of it. */
struct client_state {
    int64_t left, whole_left; /* as client_set_left has it; of the whole limit, or 0 */
    int64_t now_ms;
    bool taken;   /* the client that asked counts from now on */
    bool emptied; /* all are forgotten */
};

/* What a row says, at one instant. */
struct limiter_state {
    struct bucket bucket; /* of a bucket, refilled */
    struct window window; /* of a window, rolled */
    struct client_state clients;
    int64_t latch_end_ms; /* 0: none stands */
    bool own;             /* as in struct row */
    bool healed;          /* what lay in the future does so no more: to be written back */
};

/* What the row of a request says at now_ms; NULL: a full bucket, an unused window, an
 * empty set. */
struct limiter_state rows_read(const struct row *row,
                               const struct limiter_request *request, int64_t now_ms);

/* What is left, what it holds at most, for how long it is latched. */
struct charge_outcome rows_outcome(const struct limiter_state *state,
                                   const struct limiter_request *request, int64_t now_ms);

/* Makes a state no fuller than the bound of its request. */
void rows_bound(struct limiter_state *state, const struct limiter_request *request,
                int64_t now_ms);

/* Draws from a bucket, counts in a window, lets a set have its client, and brakes or
 * latches, as the effect of a request says. */
void rows_apply(struct limiter_state *state, const struct limiter_request *request,
                const struct limiter_effect *effect, int64_t now_ms);

/* Whether a row has been written for this request's id. */
bool rows_is_of(const struct row *row, const struct limiter_request *request);

/* A set of clients has room for one more (client_places_make). */
void rows_write(struct row *row, const struct limiter_request *request,
                const struct limiter_state *state);

enum row_kind { ROW_BUCKET, ROW_WINDOW, ROW_CLIENTS };

/* Rate or surge as the row has it, and its id. */
struct limiter_request rows_request(const struct row *row, enum row_kind kind);

/* The set that a row has; borrowed, and good until the row is written. */
struct client_set rows_clients(const struct row *row);

/* How many clients a set is to remember: of a share, as many as all relays may. */
size_t rows_client_room(const struct limiter_request *request);

/* For the three tables. */
struct loss rows_bucket_loss(const struct row *row, int64_t now_ms);
struct loss rows_window_loss(const struct row *row, int64_t now_ms);
struct loss rows_clients_loss(const struct row *row, int64_t now_ms);

#endif
