/* The largest that one key did under one rule: the smallest limit that would have let all
 * of its mail pass. Integers only. */
#ifndef LOGS_USAGE_H
#define LOGS_USAGE_H

#include "policy/rule.h"

/* Zero-initialise, or, for a rule with surge, with a window. */
struct usage {
    int64_t largest; /* so far */
    int64_t at_ms;   /* when it was reached */
    struct bucket bucket;
    struct window *window; /* owned by the caller, zero at first; NULL: with a limit */
};

/* Counts a message of a cost (>= 0). With a limit, largest is what the rule's N must be,
 * its burst being as large: a bucket that grows whenever it is short, so between the most
 * that went out in any one period and half of that. With a surge, it is what the floor
 * must be: the most in a window, but for windows that those before them allow. */
void usage_add(struct usage *usage, const struct rule *rule, int64_t cost, int64_t at_ms);

/* True when nothing that went out before at_ms matters any more. */
bool usage_is_idle(const struct usage *usage, const struct rule *rule, int64_t at_ms);

#endif
