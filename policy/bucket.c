/* Token buckets in whole tokens and fractions of one token: no drift, no float. */
#include "policy/bucket.h"

#include <assert.h>

bool rate_is_valid(const struct rate *rate)
{
    return rate->tokens >= 1 && rate->tokens <= RATE_TOKENS_MAX && rate->burst >= 1 &&
           rate->burst <= RATE_TOKENS_MAX && rate->period_ms >= RATE_PERIOD_MIN_MS &&
           rate->period_ms <= RATE_PERIOD_MAX_MS &&
           rate->period_ms <= (RATE_PRODUCT_MAX - 1) / rate->tokens;
}

bool rate_is_fixed(const struct rate *rate)
{
    return rate->tokens == 0 && rate->burst >= 1 && rate->burst <= RATE_TOKENS_MAX &&
           rate->period_ms >= RATE_PERIOD_MIN_MS && rate->period_ms <= RATE_PERIOD_MAX_MS;
}

int64_t rate_most(const struct rate *rate)
{
    return rate->burst + rate->tokens;
}

struct bucket bucket_full(const struct rate *rate, int64_t now_ms)
{
    return (struct bucket){.level = rate->burst, .rest = 0, .stamp_ms = now_ms};
}

void bucket_refill(struct bucket *bucket, const struct rate *rate, int64_t now_ms)
{
    if (rate->tokens == 0) {
        bucket->level = bucket->level < rate->burst ? bucket->level : rate->burst;
        bucket->rest = 0;
        bucket->stamp_ms = now_ms;
        return;
    }
    assert(rate_is_valid(rate));
    int64_t elapsed = now_ms > bucket->stamp_ms ? now_ms - bucket->stamp_ms : 0;
    int64_t periods = elapsed / rate->period_ms;
    bucket->stamp_ms = now_ms;

    /* Whole periods first: their tokens can be compared with burst before they overflow.
     */
    if (periods > rate->burst / rate->tokens) {
        bucket->level = rate->burst;
        bucket->rest = 0;
        return;
    }
    int64_t parts = (elapsed % rate->period_ms) * rate->tokens; /* below 2^53 */
    int64_t rest = bucket->rest + parts % rate->period_ms;
    bucket->level += periods * rate->tokens + parts / rate->period_ms;
    if (rest >= rate->period_ms) {
        bucket->level++;
        rest -= rate->period_ms;
    }
    bucket->rest = rest;
    if (bucket->level >= rate->burst) {
        bucket->level = rate->burst;
        bucket->rest = 0;
    }
}

bool bucket_take(struct bucket *bucket, int64_t cost)
{
    assert(cost >= 0);
    if (cost > bucket->level)
        return false;
    bucket->level -= cost;
    return true;
}
