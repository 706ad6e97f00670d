/* The memory of this process as charges see it: the whole store, or one relay's share of
 * Redis and a mirror of its answers, for when it is away. */
#ifndef STORE_LOCAL_H
#define STORE_LOCAL_H

#include "base/digest.h"
#include "store/memory.h"

struct last_seen; /* store/epoch/last_seen.h */

/* Borrowed. */
struct local {
    struct memory *memory;
    const struct digest_key *key;
    int nodes; /* that share what a rule allows; 0: this is the whole store */
    struct last_seen *seen; /* of the whole; NULL without nodes */
};

/* As store_charge and store_amend, of this memory, at now_ms on the wall clock; NOMEM,
 * too. A share begins with what was last seen of the whole, and the whole is owed what
 * the share takes. */
enum status local_charge(const struct local *local, const struct charge *charges,
                         size_t count, enum charge_mode mode, int64_t now_ms,
                         struct charge_outcome *out_outcomes) MUST_CHECK;
enum status local_amend(const struct local *local, const struct charge *charges,
                        size_t count, enum amend what, int64_t now_ms) MUST_CHECK;

/* As store_window. */
enum status local_window(const struct local *local, const struct charge *charge,
                         int64_t now_ms, struct window *out) MUST_CHECK;

/* What one charge in Redis takes from the mirror, and brings back to it. */
struct local_mirror {
    struct limiter_request *requests; /* NULL: no charge has anything that is mirrored */
    int64_t *carried; /* how long latches that only this relay knows still hold, in ms */
    size_t count;
};

/* NOMEM. */
enum status local_recall(const struct local *local, const struct charge *charges,
                         size_t count, int64_t now_ms,
                         struct local_mirror *out) MUST_CHECK;

/* Mirrors what Redis answered to a charge that brought it what was carried: a window
 * becomes one past window, the largest; latches hold as long as in Redis; of a permit we
 * have our part of what is left; clients that were counted there are counted here. */
void local_learn(const struct local *local, const struct local_mirror *mirror,
                 enum charge_mode mode, int64_t now_ms,
                 const struct charge_outcome *outcomes);

void local_mirror_clear(struct local_mirror *mirror);

#endif
