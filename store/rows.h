/* How buckets and windows lie in the tables of memory. */
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

/* What a row says, at one instant. */
struct limiter_state {
    struct bucket bucket; /* of a bucket, refilled */
    struct window window; /* of a window, rolled */
    int64_t latch_end_ms; /* 0: none stands */
    bool own;             /* as in struct row */
    bool healed;          /* what lay in the future does so no more: to be written back */
};

/* What the row of a request says at now_ms; NULL: a full bucket, or an unused window. */
struct limiter_state rows_read(const struct row *row,
                               const struct limiter_request *request, int64_t now_ms);

/* What is left, what it holds at most, for how long it is latched. */
struct charge_outcome rows_outcome(const struct limiter_state *state,
                                   const struct limiter_request *request, int64_t now_ms);

void rows_write(struct row *row, const struct limiter_request *request,
                const struct limiter_state *state);

/* Rate or surge as the row has it, and its id. */
struct limiter_request rows_request(const struct row *row, bool is_window);

/* For the tables of buckets and of windows. */
struct loss rows_bucket_loss(const struct row *row, int64_t now_ms);
struct loss rows_window_loss(const struct row *row, int64_t now_ms);

#endif
