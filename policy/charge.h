/* What policy asks of the shared state: charge all buckets and windows of a message, or
 * none. The implementations are in store/. */
#ifndef POLICY_CHARGE_H
#define POLICY_CHARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "policy/bucket.h"
#include "policy/window.h"

/* One bucket that a message would draw from, one window that it would add to, or one set
 * of clients (policy/client_set.h) that its client would be in. Subjects are plain here
 * ("sender:a@b"), and so are clients; a store hashes them before they leave the process
 * or are kept. All pointers borrowed. */
struct charge {
    const char *fingerprint; /* of the rule: the same rule on every relay, no other */
    const char *subject;
    const struct rate *rate;   /* of the bucket, or the limit of clients; else NULL */
    const struct surge *surge; /* of the window; else NULL */
    bool clients;              /* it is a set of clients */
    const char *client; /* of the message, in whose set it would be; NULL: nobody's */
    int64_t cost;       /* in a set of clients 1, or 0 for nobody */
    int64_t latch_ms;   /* how long it fires once it has fired; 0: it has no latch */
    bool monitor; /* never stops a message; charged if it has room, a window always */
    bool trains;  /* the message goes out whatever is found: a window counts it */
    bool permit;  /* a bucket that lets the message pass, if it has room */
    bool along;   /* of the same rule as the charge before it (a rule has one for each
                     list): what decides there decides here, too */
};

/* What a message may leave behind, by how its walk ends. */
enum charge_mode {
    CHARGE_PEEK,  /* nothing */
    CHARGE_LATCH, /* a rule stops it by matching: latches, and what trains */
    CHARGE_TAKE,  /* it is accepted unless a charge fires */
};

/* What the store found of a charge, before it changed anything. */
struct charge_outcome {
    int64_t left;     /* tokens after refill; copies that the window still takes; clients
                         that the set still takes, the message's own included */
    int64_t burst;    /* what it holds at most; of the local share if that was asked */
    int64_t whole;    /* of a window's local share: what all relays together may hold at
                         most, as far as that is known; of a local set of clients: how
                         many the whole limit would still take; else 0 */
    int64_t latch_ms; /* how long its latch still lasts; 0: it is not set */
    bool fits;        /* cost <= left */
};

/* Who answered. */
enum charge_source {
    CHARGE_SOURCE_NONE, /* nobody was asked, or nobody answered */
    CHARGE_SOURCE_REDIS,
    CHARGE_SOURCE_MEMORY,
    CHARGE_SOURCE_LOCAL, /* the local share, while the shared store is away */
};

struct store;

/* Looks at every charge at one instant. Permits, which monitor, too, come first: with the
 * first that has room, and a mode other than PEEK, that is all that is drawn from, and
 * every window trains. Else they are passed over, and of the other charges one fires when
 * its latch is set or its cost does not fit; the charges are in the order of their rules,
 * and the first that fires and is not monitor decides (charge_outcome_fires says so of an
 * outcome).
 *
 * None decides, and the mode is TAKE: every bucket with room is drawn from, every set of
 * clients with room has the client from now on, and every window that has room or is
 * monitor counts the cost. One decides: its latch is set
 * (anew) for latch_ms, unless the cost is over the bucket's burst. In both cases, but
 * with PEEK, monitor charges that fire, down to the one that decides, set their latches
 * likewise, and windows down to there that train count their cost, with those
 * that come along after it: their lists get the message, too.
 *
 * The same fingerprint and subject twice in one call is an error of the caller.
 * deadline_us is monotonic. OK with count outcomes, or none and
 *   UNAVAILABLE  the store does not answer; the charge may still have happened (charging
 *                twice is tolerable, too little is not)
 *   LIMIT        a message asks too much, or too many wait for the store: neither says
 *                that it is away, and a flood must not bring about its own pass
 *   NOMEM */
enum status store_charge(struct store *store, const struct charge *charges, size_t count,
                         enum charge_mode mode, int64_t deadline_us,
                         struct charge_outcome *out_outcomes,
                         enum charge_source *out_source) MUST_CHECK;

static inline bool charge_outcome_fires(const struct charge_outcome *outcome)
{
    return outcome->latch_ms > 0 || !outcome->fits;
}

#endif
