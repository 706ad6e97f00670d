/* The local share: tokens / (period x nodes), brought back into the bounds of a rate. */
#include "store/node_quota.h"

#include <assert.h>

#include "policy/client_set.h"

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

struct rate node_quota_rate(const struct rate *rate, int nodes)
{
    struct rate share = *rate;
    assert((rate_is_valid(rate) || rate_is_fixed(rate)) && nodes >= 1 && nodes <= 1000);
    share.burst = rate->burst / nodes > 0 ? rate->burst / nodes : 1;
    if (rate_is_fixed(rate))
        return share;
    share.period_ms = rate->period_ms * nodes; /* below 2^45 */
    if (rate_is_valid(&share))
        return share;

    /* Fewer tokens in a shorter period are the same rate. The period stays above its
     * lower bound: it is only divided by what nodes multiplied it with. */
    int64_t divisor = common_divisor(share.tokens, nodes);
    share.tokens /= divisor;
    share.period_ms /= divisor;

    /* tokens x 366 d fits: the period is over 366 d / 1000, so tokens < 2.9 x 10^8. */
    if (share.period_ms > RATE_PERIOD_MAX_MS) {
        share.tokens = share.tokens * RATE_PERIOD_MAX_MS / share.period_ms;
        share.period_ms = RATE_PERIOD_MAX_MS;
    }
    /* Only a product past 2^53 is left: then tokens are over 2^53 / 366 d = 284,000, and
     * rounding them down costs less than one part in 4,000. */
    while (share.tokens > (RATE_PRODUCT_MAX - 1) / share.period_ms) {
        share.tokens /= 2;
        share.period_ms = (share.period_ms + 1) / 2;
    }
    if (share.tokens == 0)
        share.tokens = 1;
    return share;
}

struct rate node_quota_clients(const struct rate *limit, int nodes)
{
    struct rate share = *limit;
    assert(client_limit_is_valid(limit) && nodes >= 1 && nodes <= 1000);
    share.burst = limit->burst / nodes > 0 ? limit->burst / nodes : 1;
    share.tokens = share.burst;
    return share;
}

struct surge node_quota_surge(const struct surge *surge, int nodes)
{
    struct surge share = *surge;
    assert(surge_is_valid(surge) && nodes >= 1 && nodes <= 1000);
    share.floor = surge->floor / nodes > 0 ? surge->floor / nodes : 1;
    return share;
}
