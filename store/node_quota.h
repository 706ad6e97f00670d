/* A relay's part of a shared limit, for when each must decide alone. */
#ifndef STORE_NODE_QUOTA_H
#define STORE_NODE_QUOTA_H

#include "policy/bucket.h"
#include "policy/window.h"

/* The rate of one of nodes (1 to 1000) relays: burst max(1, burst div nodes), and tokens
 * per period x nodes. That is exact as long as tokens or period can be chosen within a
 * rate's bounds; otherwise it is rounded down, to at least one token in 366 days. */
struct rate node_quota_rate(const struct rate *rate, int nodes);

/* The clients of one of nodes relays: max(1, N div nodes) within the same period. */
struct rate node_quota_clients(const struct rate *limit, int nodes);

/* The surge of one of nodes relays: floor max(1, floor div nodes). What is usual is cut
 * down where it is learnt. */
struct surge node_quota_surge(const struct surge *surge, int nodes);

#endif
