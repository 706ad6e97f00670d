/* Sorted by stamp, so that what is over stands in front. A client that is known always
 * fits: it takes the place that it has. */
#include "policy/client_set.h"

#include <assert.h>
#include <string.h>

bool client_limit_is_valid(const struct rate *limit)
{
    return rate_is_valid(limit) && limit->tokens == limit->burst &&
           limit->burst <= CLIENT_SET_MAX;
}

/* A stamp in the future counts as now. */
static bool is_over(const struct client_entry *entry, int64_t period_ms, int64_t now_ms)
{
    return now_ms - entry->stamp_ms >= period_ms;
}

int64_t client_set_left(const struct client_set *set, const struct rate *limit,
                        int64_t client, int64_t now_ms)
{
    int64_t left = limit->burst;
    bool known = false;
    for (size_t i = 0; i < set->count; i++) {
        if (is_over(&set->entries[i], limit->period_ms, now_ms))
            continue;
        if (set->entries[i].client == client)
            known = true;
        else if (left > 0)
            left--;
    }
    return known && left < 1 ? 1 : left;
}

void client_set_roll(struct client_set *set, int64_t period_ms, int64_t now_ms)
{
    size_t over = 0;
    while (over < set->count && is_over(&set->entries[over], period_ms, now_ms))
        over++;
    if (over > 0) {
        set->count -= over;
        memmove(set->entries, set->entries + over, set->count * sizeof *set->entries);
    }
    for (size_t i = set->count; i-- > 0 && set->entries[i].stamp_ms > now_ms;)
        set->entries[i].stamp_ms = now_ms;
}

static void forget(struct client_set *set, size_t i)
{
    set->count--;
    memmove(&set->entries[i], &set->entries[i + 1],
            (set->count - i) * sizeof *set->entries);
}

void client_set_take(struct client_set *set, size_t room, int64_t client, int64_t now_ms)
{
    size_t i = 0;
    assert(client > 0 && client <= CLIENT_NUMBER_MAX && room >= 1);
    while (i < set->count && set->entries[i].client != client)
        i++;
    if (i < set->count)
        forget(set, i);
    while (set->count >= room)
        forget(set, 0);
    set->entries[set->count++] = (struct client_entry){client, now_ms};
}

bool client_set_lies_ahead(const struct client_set *set, int64_t now_ms)
{
    return set->count > 0 && set->entries[set->count - 1].stamp_ms > now_ms;
}

int64_t client_set_lasts_ms(const struct client_set *set, int64_t period_ms,
                            int64_t now_ms)
{
    if (set->count == 0)
        return 0;
    return set->entries[set->count - 1].stamp_ms + period_ms - now_ms;
}
