/* An incident of the past is no ordinary mail, and a few keys did it: so the few largest
 * are looked at with distrust, and shown. */
#include "logs/proposal.h"

/* Of fewer keys: who does little more is no incident. */
enum { OUTLIER_LEAST = 100, OUTLIER_LEAST_CLIENTS = 20 };

/* Two digits, and zeros. */
static int64_t round_up(int64_t number)
{
    int64_t unit = 1;
    while (number / unit >= 100)
        unit *= 10;
    return (number + unit - 1) / unit * unit;
}

/* Half as much again, or five more, so that one more of a few is no news. */
static int64_t give_room(int64_t largest)
{
    int64_t half = (largest + 1) / 2;
    return round_up(largest + (half > 5 ? half : 5));
}

/* What a key must pass to be an outlier, the next one being that of a number: a limit for
 * the 99.9th percentile; or, of fewer keys, ten times as much as the next, and
 * OUTLIER_LEAST. */
static int64_t bound_of(const struct rule *rule, const struct usage_key *keys,
                        size_t count, size_t next, size_t all)
{
    size_t first = all / 1000 < count ? all / 1000 : count - 1;
    if (all >= PROPOSAL_MANY)
        return give_room(keys[first].largest);
    const int64_t bound = 10 * keys[next].largest;
    const int64_t least =
        rule->unit == UNIT_CLIENTS ? OUTLIER_LEAST_CLIENTS : OUTLIER_LEAST;
    return bound > least ? bound : least;
}

/* So many of the first are outliers; of few keys one in ten at most. */
static size_t count_outliers(const struct rule *rule, const struct usage_key *keys,
                             size_t count, size_t all)
{
    size_t outliers = 0;
    while (outliers + 1 < count && (all >= PROPOSAL_MANY || outliers * 10 < count) &&
           keys[outliers].largest > bound_of(rule, keys, count, outliers + 1, all))
        outliers++;
    return outliers;
}

/* Of those that are no outliers, and of what outliers did in other periods than that of
 * their incident, as far as that alone would make no outlier of them. */
static int64_t find_largest(const struct rule *rule, const struct usage_key *keys,
                            size_t count, size_t outliers, size_t all)
{
    int64_t largest = keys[outliers].largest;
    const int64_t bound = bound_of(rule, keys, count, outliers, all);
    for (size_t i = 0; i < outliers; i++) {
        int64_t within = usage_within(keys[i].usage, bound);
        largest = within > largest ? within : largest;
    }
    return largest;
}

/* The largest limit or floor that a rule can have. */
static int64_t most_of(const struct rule *rule)
{
    int64_t most = rule->has_limit ? (RATE_PRODUCT_MAX - 1) / rule->limit.period_ms
                                   : SURGE_FLOOR_MAX;
    if (rule->unit == UNIT_CLIENTS)
        return CLIENT_SET_MAX;
    return most < RATE_TOKENS_MAX ? most : RATE_TOKENS_MAX;
}

struct proposal proposal_make(const struct rule *rule, const struct usage_key *keys,
                              size_t count, size_t forgotten)
{
    struct proposal proposal = {.limit = 0};
    const int64_t most = most_of(rule);
    if (count == 0)
        return proposal;
    proposal.outliers = count_outliers(rule, keys, count, count + forgotten);
    proposal.largest =
        find_largest(rule, keys, count, proposal.outliers, count + forgotten);
    proposal.limit = give_room(proposal.largest);
    if (proposal.limit > most)
        proposal.limit = most;
    return proposal;
}
