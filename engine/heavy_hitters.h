/* Of more keys than there is room for, those that send most (Metwally et al., "Efficient
 * Computation of Frequent and Top-k Elements in Data Streams", 2005), by the last minutes
 * and by the day. A newcomer takes the place of the smallest, and its numbers of the day
 * with it: so what is large is never lost, and at most overrated by what that one had.
 * Not safe from several threads. */
#ifndef ENGINE_HEAVY_HITTERS_H
#define ENGINE_HEAVY_HITTERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

enum {
    HEAVY_HITTERS_MAX = 512,
    HEAVY_HITTERS_MINUTES = 10, /* how far back the last minutes go */
    HEAVY_HITTERS_CHAINS = 1024,
    HEAVY_HITTER_KEY_SIZE = 200 /* longer keys are cut */
};

struct hits {
    int64_t messages, copies, stopped;
};

struct heavy_hitter {
    char key[HEAVY_HITTER_KEY_SIZE];
    uint64_t hash;
    int64_t minute; /* of the last message */
    struct hits minutes[HEAVY_HITTERS_MINUTES], day;
    int next; /* of its chain */
};

/* A place in the heap, whose first is the one with the fewest copies of the day. */
struct heavy_hitter_place {
    int64_t copies;
    int entry;
};

struct heavy_hitters {
    struct digest_key key; /* so that nobody can provoke a long chain */
    size_t count;
    int chains[HEAVY_HITTERS_CHAINS];
    struct heavy_hitter_place heap[HEAVY_HITTERS_MAX]; /* in order once all are taken */
    int places[HEAVY_HITTERS_MAX];                     /* of each entry in the heap */
    struct heavy_hitter entries[HEAVY_HITTERS_MAX];
};

void heavy_hitters_init(struct heavy_hitters *table);

/* minute counts from any start; below 0 the day alone counts. */
void heavy_hitters_add(struct heavy_hitters *table, const char *key,
                       const struct hits *hits, int64_t minute);

/* A new day: all numbers of the day are 0. */
void heavy_hitters_turn_day(struct heavy_hitters *table);

/* One of a list. */
struct heavy_hitter_total {
    char key[HEAVY_HITTER_KEY_SIZE];
    struct hits hits;
};

/* Lists those with a message in the last minutes up to that one, or below 0 on this day,
 * in no order; at most HEAVY_HITTERS_MAX. Returns how many. */
size_t heavy_hitters_list(const struct heavy_hitters *table, int64_t minute,
                          struct heavy_hitter_total *out);

/* By copies, the most first. */
void heavy_hitters_sort(struct heavy_hitter_total *totals, size_t count);

#endif
