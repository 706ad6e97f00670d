/* An incident of the past is no ordinary mail, and a few keys did it: so the few largest
 * are looked at with distrust, and shown. */
#include "logs/proposal.h"

enum { OUTLIER_LEAST = 100 }; /* of fewer keys: who does little more is no incident */

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

/* So many of the first are outliers: those that a limit for the 99.9th percentile would
 * stop; or, of fewer keys, up to one in ten, each of which did ten times as much as the
 * next. */
static size_t count_outliers(const struct usage_key *keys, size_t count, size_t all)
{
    size_t outliers = 0;
    if (all >= PROPOSAL_MANY) {
        size_t first = all / 1000 < count ? all / 1000 : count - 1;
        int64_t limit = give_room(keys[first].largest);
        while (keys[outliers].largest > limit)
            outliers++;
        return outliers;
    }
    while (outliers + 1 < count && outliers * 10 < count &&
           keys[outliers].largest > OUTLIER_LEAST &&
           keys[outliers].largest > 10 * keys[outliers + 1].largest)
        outliers++;
    return outliers;
}

struct proposal proposal_make(const struct usage_key *keys, size_t count,
                              size_t forgotten, int64_t most)
{
    struct proposal proposal = {.limit = 0};
    if (count == 0)
        return proposal;
    proposal.outliers = count_outliers(keys, count, count + forgotten);
    proposal.largest = keys[proposal.outliers].largest;
    proposal.limit = give_room(proposal.largest);
    if (proposal.limit > most)
        proposal.limit = most;
    return proposal;
}
