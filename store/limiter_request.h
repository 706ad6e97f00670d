/* A charge as the memory of this process sees it, and what it leaves behind. */
#ifndef STORE_LIMITER_REQUEST_H
#define STORE_LIMITER_REQUEST_H

#include "base/digest.h"
#include "policy/charge.h"
#include "policy/client_set.h"

enum { MEMORY_ID_BYTES = DIGEST_BYTES };

/* A keyed hash that names rule and subject: nobody can aim for one set of a table. */
struct memory_id {
    uint8_t bytes[MEMORY_ID_BYTES];
};

/* Of a bucket, a window or a set of clients. */
struct limiter_request {
    struct memory_id id;
    bool is_window;
    bool has_clients;   /* a set of clients */
    struct rate rate;   /* of a bucket, or of a set of clients */
    struct surge surge; /* of a window */
    int64_t client;     /* its number; 0: nobody */
    int64_t cost;
    int64_t latch_ms;
    int64_t whole; /* of a window or set that is but a share: the floor, or the clients,
                      of all relays together; 0: it is the whole */
    int64_t nodes; /* that share it; 0: it is the whole */
    bool monitor, trains, along, permit;
    bool bounded; /* of a share: by its part of what was last seen of the whole */
    int64_t
        bound; /* a bucket has at most so many tokens, a window at least so many copies */
    int64_t bound_start_ms; /* when that window began */
};

struct limiter_effect {
    bool takes;   /* a bucket is drawn from, a window or set counts */
    bool latches; /* its latch is set for latch_ms */
    bool brakes;  /* its window is not a usual one */
    bool learns;  /* its window counts what a permit lets pass */
};

/* The request of a charge, all but its id and its client's number; nodes: relays that
 * share what the rule allows, 0: it is the whole. */
struct limiter_request limiter_request_make(const struct charge *charge, int nodes);

/* The number that a set of clients has for the message's client: a keyed hash of the
 * client and of the charge's subject, so it says nothing of another subject's clients. 0
 * for nobody. The same on each relay with this key. NOMEM. */
enum status limiter_request_client(const struct digest_key *key,
                                   const struct charge *charge, int64_t *out) MUST_CHECK;

/* What store_charge says of a message, once it is known what was found: one
 * effect per request. */
void limiter_request_settle(const struct limiter_request *requests, size_t count,
                            const struct charge_outcome *outcomes, enum charge_mode mode,
                            struct limiter_effect *out);

#endif
