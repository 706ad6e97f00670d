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

/* Of the period at hand; it begins with its first message. */
static void note_peak(struct usage *usage, int64_t length_ms, int64_t most, int64_t at_ms)
{
    if (at_ms - usage->period_ms >= length_ms) {
        int32_t rest = usage->peak;
        for (size_t i = 0; i < USAGE_PEAKS; i++) {
            int32_t here = usage->peaks[i];
            usage->peaks[i] = here > rest ? here : rest;
            rest = here > rest ? rest : here;
        }
        usage->period_ms = at_ms;
        usage->peak = 0;
    }
    if (most > usage->peak)
        usage->peak = (int32_t)most; /* at most 10^9 */
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
    if (!bucket_take(&usage->bucket, cost)) {
        int64_t larger = usage->largest + cost - usage->bucket.level;
        usage->largest = larger < most ? larger : most;
        usage->bucket.level = 0;
        usage->at_ms = at_ms;
    }
    note_peak(usage, rate.period_ms, usage->largest - usage->bucket.level, at_ms);
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
    note_peak(usage, surge.window_ms, window->copies, at_ms);
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

void usage_add_client(struct usage *usage, const struct rule *rule, int64_t client,
                      int64_t at_ms)
{
    struct client_set *set = &usage->clients.set;
    client_set_roll(set, rule->limit.period_ms, at_ms);
    client_set_take(set, usage->clients.room, client, at_ms);
    note_peak(usage, rule->limit.period_ms, (int64_t)set->count, at_ms);
    if ((int64_t)set->count <= usage->largest)
        return;
    usage->largest = (int64_t)set->count;
    usage->at_ms = at_ms;
}

int64_t usage_within(const struct usage *usage, int64_t bound)
{
    int64_t most = usage->peak <= bound ? usage->peak : 0;
    for (size_t i = 0; i < USAGE_PEAKS; i++) {
        if (usage->peaks[i] <= bound && usage->peaks[i] > most)
            most = usage->peaks[i];
    }
    return most;
}

bool usage_is_idle(const struct usage *usage, const struct rule *rule, int64_t at_ms)
{
    if (usage->window != NULL)
        return at_ms - usage->window->start_ms >= rule->surge.window_ms;
    if (rule->unit == UNIT_CLIENTS)
        return client_set_lasts_ms(&usage->clients.set, rule->limit.period_ms, at_ms) <=
               0;
    return at_ms - usage->bucket.stamp_ms >= rule->limit.period_ms;
}
