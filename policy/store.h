/* What policy asks of the shared state: charge all buckets of a message, or none. The
 * implementations are in store/. */
#ifndef POLICY_STORE_H
#define POLICY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "policy/bucket.h"

/* One bucket that a message would draw from. Subjects are plain here ("sender:a@b"); a
 * store hashes them before they leave the process or are kept. All pointers borrowed. */
struct charge {
    const char *fingerprint; /* of the rule: the same rule on every relay, no other */
    const char *subject;
    const struct rate *rate;
    int64_t cost;
    bool monitor; /* never stops a message; charged if it has room */
};

/* What the store found in a charge's bucket, after refill and before taking. */
struct outcome {
    int64_t left;
    int64_t burst; /* size of the bucket asked: the rate's, or the local share of it */
    bool fits;     /* cost <= left */
};

/* Who answered. */
enum store_source {
    STORE_NONE, /* nobody was asked, or nobody answered */
    STORE_REDIS,
    STORE_MEMORY,
    STORE_LOCAL, /* the local share, while the shared store is away */
};

struct store;

/* Reads every bucket at one instant. If commit, and every charge that is not monitor
 * fits: takes all of those, and each monitor charge that fits. Otherwise nothing is
 * taken. The same fingerprint and subject twice in one call is an error of the caller.
 * deadline_us is monotonic. OK with count outcomes, or UNAVAILABLE and none; then the
 * charge may still have happened (charging twice is tolerable, too little is not). */
enum status store_charge(struct store *store, const struct charge *charges, size_t count,
                         bool commit, int64_t deadline_us, struct outcome *out_outcomes,
                         enum store_source *out_source) MUST_CHECK;

#endif
