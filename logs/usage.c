/* A larger limit refills faster, too, so what passed the bucket while it grew passes one
 * that is as large from the beginning. */
#include "logs/usage.h"

static int64_t most_tokens(int64_t period_ms)
{
    int64_t most = (RATE_PRODUCT_MAX - 1) / period_ms;
    return most < RATE_TOKENS_MAX ? most : RATE_TOKENS_MAX;
}

/* What an unused bucket is: of one token, and full. */
static struct rate rate_of(const struct usage *usage, const struct rule *rule)
{
    int64_t tokens = usage->largest > 0 ? usage->largest : 1;
    return (struct rate){tokens, rule->limit.period_ms, tokens};
}

static void add_to_bucket(struct usage *usage, const struct rule *rule, int64_t cost,
                          int64_t at_ms)
{
    const struct rate rate = rate_of(usage, rule);
    const int64_t most = most_tokens(rate.period_ms);
    if (usage->largest == 0)
        usage->bucket.stamp_ms = at_ms;
    bucket_refill(&usage->bucket, &rate, at_ms);
    cost = cost < most ? cost : most;
    if (bucket_take(&usage->bucket, cost))
        return;
    int64_t larger = usage->largest + cost - usage->bucket.level;
    usage->largest = larger < most ? larger : most;
    usage->bucket.level = 0;
    usage->at_ms = at_ms;
}

/* Every window counts as one that mattered. */
static struct surge surge_of(const struct rule *rule)
{
    return (struct surge){rule->surge.factor, 1, rule->surge.window_ms};
}

static void add_to_window(struct usage *usage, const struct rule *rule, int64_t cost,
                          int64_t at_ms)
{
    const struct surge surge = surge_of(rule);
    struct window *window = usage->window;
    window_roll(window, &surge, at_ms);
    int64_t allowed = window->past_count > 0 ? window_size(window, &surge) : 0;
    window_count(window, cost, at_ms);
    if (window->copies <= allowed || window->copies <= usage->largest)
        return;
    usage->largest = window->copies;
    usage->at_ms = at_ms;
}

void usage_add(struct usage *usage, const struct rule *rule, int64_t cost, int64_t at_ms)
{
    if (usage->window != NULL)
        add_to_window(usage, rule, cost, at_ms);
    else
        add_to_bucket(usage, rule, cost, at_ms);
}

bool usage_is_idle(const struct usage *usage, const struct rule *rule, int64_t at_ms)
{
    if (usage->window != NULL)
        return at_ms - usage->window->start_ms >= rule->surge.window_ms;
    return at_ms - usage->bucket.stamp_ms >= rule->limit.period_ms;
}
