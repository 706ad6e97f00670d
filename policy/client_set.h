/* The clients that one key sends from: N different ones at most, each counted until a
 * period after its last accepted message. Integers only. The same arithmetic is in
 * store/limiter_window.lua; test/vectors/clients.txt runs against both. */
#ifndef POLICY_CLIENT_SET_H
#define POLICY_CLIENT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/bucket.h"

enum { CLIENT_SET_MAX = 256 };

/* A client is a number that a store makes of it, from 1 to this; 0 is nobody. */
#define CLIENT_NUMBER_MAX ((INT64_C(1) << 53) - 1)

struct client_entry {
    int64_t client;
    int64_t stamp_ms; /* of its last accepted message */
};

/* In the order of their stamps, oldest first. entries: borrowed, with room for as many as
 * client_set_take is told. */
struct client_set {
    struct client_entry *entries;
    size_t count;
};

/* True for a limit of clients: N of them in a period are tokens = burst = N, from 1 to
 * CLIENT_SET_MAX. */
bool client_limit_is_valid(const struct rate *limit);

/* How many different clients the set still takes, the one that asks included: at least 1
 * if it is in the set. Looks at a set that was not rolled, too. */
int64_t client_set_left(const struct client_set *set, const struct rate *limit,
                        int64_t client, int64_t now_ms);

/* Forgets those whose period is over at now_ms. After a step back of the clock nothing
 * lies in the future. */
void client_set_roll(struct client_set *set, int64_t period_ms, int64_t now_ms);

/* Counts a client from now_ms on, in a rolled set. When that has no room for another
 * one, the oldest is forgotten. client is not 0; room is at least 1. */
void client_set_take(struct client_set *set, size_t room, int64_t client, int64_t now_ms);

/* True when some stamp lies after now_ms. */
bool client_set_lies_ahead(const struct client_set *set, int64_t now_ms);

/* How long a rolled set is worth keeping; 0: it is empty. */
int64_t client_set_lasts_ms(const struct client_set *set, int64_t period_ms,
                            int64_t now_ms);

#endif
