/* Counts of decisions since the start, by rule, and histograms of reach and time, for
 * metrics and status. Rules and verdicts are only names here. */
#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    COUNTERS_MAX = 1000, /* distinct names; later ones count as rule "other" */
    COUNTERS_NAME_SIZE = 96,
    COUNTERS_VERDICT_SIZE = 16,
    COUNTERS_BOUNDS_MAX = 7,
};

struct counters;

/* One decision. All strings borrowed. */
struct counted_decision {
    const char *rule;    /* what decided; "-" for none */
    const char *verdict; /* "accept", "reject", ... */
    const char *would;   /* "RULE:VERDICT,..." of what only monitors; "" */
    int64_t reach;
    int64_t took_us;
};

/* How many were at most bounds[i], and above bounds[i - 1]; the last have no bound. */
struct histogram {
    int64_t bounds[COUNTERS_BOUNDS_MAX];
    size_t bound_count;
    uint64_t counts[COUNTERS_BOUNDS_MAX + 1];
    uint64_t sum; /* of the values */
};

struct counter {
    char rule[COUNTERS_NAME_SIZE];
    char verdict[COUNTERS_VERDICT_SIZE];
    bool would; /* counts what would have been, not what was */
    uint64_t count;
};

/* All of it at one instant. */
struct counters_totals {
    struct counter *items; /* in the order in which they came up */
    size_t count;
    struct histogram reach;
    struct histogram took_us;
};

/* NULL when out of memory. */
struct counters *counters_new(void);
void counters_free(struct counters *counters);

/* Safe from any thread; waits at most for another call of these functions. */
void counters_add(struct counters *counters, const struct counted_decision *counted);

/* A copy, for counters_clear; NOMEM. */
enum status counters_read(struct counters *counters,
                          struct counters_totals *out) MUST_CHECK;
void counters_clear(struct counters_totals *totals);

#endif
