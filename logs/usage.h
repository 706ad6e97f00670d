/* The largest that one key did under one rule: the smallest limit that would have let all
 * of its mail pass. Integers only. */
#ifndef LOGS_USAGE_H
#define LOGS_USAGE_H

#include "policy/rule.h"

enum { USAGE_PEAKS = 4 };

/* Zero-initialise, or, for a rule with surge, with a window. */
struct usage {
    int64_t largest; /* so far */
    int64_t at_ms;   /* when it was reached */
    struct bucket bucket;
    struct window *window; /* owned by the caller, zero at first; NULL: with a limit */
    int64_t period_ms;     /* when the period at hand began, with its first message */
    int32_t peak;          /* the most in it */
    int32_t peaks[USAGE_PEAKS]; /* of the periods before it, the largest first */
};

/* Counts a message of a cost (>= 0). With a limit, largest is what the rule's N must be,
 * its burst being as large: a bucket that grows whenever it is short, so between the most
 * that went out in any one period and half of that. With a surge, it is what the floor
 * must be: the most in a window, but for windows that those before them allow. */
void usage_add(struct usage *usage, const struct rule *rule, int64_t cost, int64_t at_ms);

/* The most in any of its largest periods that was not over a bound; 0: there is none. So
 * an incident hides nothing of what its key does otherwise. */
int64_t usage_within(const struct usage *usage, int64_t bound);

/* True when nothing that went out before at_ms matters any more. */
bool usage_is_idle(const struct usage *usage, const struct rule *rule, int64_t at_ms);

#endif
