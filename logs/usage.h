/* The largest that one key did under one rule: the smallest limit that would have let all
 * of its mail pass. Integers only. */
#ifndef LOGS_USAGE_H
#define LOGS_USAGE_H

#include "policy/client_set.h"
#include "policy/rule.h"

enum {
    USAGE_PEAKS = 4,
    USAGE_CLIENTS_MAX = CLIENT_SET_MAX + 1, /* of a key at a time; so many: or more */
};

/* entries: owned by the caller, room for so many. */
struct usage_clients {
    struct client_set set;
    size_t room;
};

/* Zero-initialise, or, for a rule with surge, with a window. */
struct usage {
    int64_t largest; /* so far */
    int64_t at_ms;   /* when it was reached */
    union {
        struct usage_clients clients; /* with a limit of clients */
        struct bucket bucket;
    };
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

/* Counts a message of a client (as client_set_take has it) under a limit of clients:
 * largest is how many different ones there were, each until a period after its last
 * message. Once all of the room (not 0) is taken, the oldest is forgotten. */
void usage_add_client(struct usage *usage, const struct rule *rule, int64_t client,
                      int64_t at_ms);

/* The most in any of its largest periods that was not over a bound; 0: there is none. So
 * an incident hides nothing of what its key does otherwise. */
int64_t usage_within(const struct usage *usage, int64_t bound);

/* True when nothing that went out before at_ms matters any more. */
bool usage_is_idle(const struct usage *usage, const struct rule *rule, int64_t at_ms);

#endif
