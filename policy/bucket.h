/* The token bucket: N tokens per period, at most burst at once. Integers only. The same
 * arithmetic is in store/charge.lua; test/vectors/bucket.txt runs against both. */
#ifndef POLICY_BUCKET_H
#define POLICY_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* 1 <= burst <= 10^9; 1 <= tokens <= 10^9, or 0 tokens: it never refills, and period is
 * how long it may be of use. 1 s <= period <= 366 d; tokens x period_ms < 2^53. */
struct rate {
    int64_t tokens; /* refilled per period */
    int64_t period_ms;
    int64_t burst; /* size of the bucket */
};

#define RATE_TOKENS_MAX INT64_C(1000000000)
#define RATE_PERIOD_MIN_MS INT64_C(1000)
#define RATE_PERIOD_MAX_MS (INT64_C(366) * 86400 * 1000)
#define RATE_PRODUCT_MAX (INT64_C(1) << 53)

/* level whole tokens, rest period_ms-ths of one more (below period_ms), as of stamp_ms.
 */
struct bucket {
    int64_t level;
    int64_t rest;
    int64_t stamp_ms;
};

/* True for one that refills. */
bool rate_is_valid(const struct rate *rate);

/* True for one that never refills: a permit's. */
bool rate_is_fixed(const struct rate *rate);

/* The most that can pass in one period: what a full bucket holds, and what it refills. */
int64_t rate_most(const struct rate *rate);

/* A full bucket, as it is before its first charge. */
struct bucket bucket_full(const struct rate *rate, int64_t now_ms);

/* Adds what max(0, now - stamp) has refilled, up to burst (a full bucket has no rest),
 * and sets the stamp to now, also when the clock went back. */
void bucket_refill(struct bucket *bucket, const struct rate *rate, int64_t now_ms);

/* Takes cost (>= 0) from a refilled bucket; false, and nothing taken, when it is short.
 */
bool bucket_take(struct bucket *bucket, int64_t cost);

#endif
