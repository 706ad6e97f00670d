/* What this relay has seen last of the buckets, windows and sets of clients in the shared
 * store: what a store that lost its data is given back, and what a local share begins
 * with. No I/O; safe from many threads. */
#ifndef STORE_EPOCH_LAST_SEEN_H
#define STORE_EPOCH_LAST_SEEN_H

#include "store/charge_call.h"
#include "store/rows.h"

enum {
    LAST_SEEN_MAX = 100000,                    /* keys; 18 MB, and 200 bytes a window */
    LAST_SEEN_NAME_SIZE = 2 * DIGEST_HEX_SIZE, /* "fingerprint:hash", and the NUL */
};

struct last_seen;

/* key is borrowed. NULL without memory. */
struct last_seen *last_seen_new(const char *prefix, const struct digest_key *key);
void last_seen_free(struct last_seen *seen); /* NULL is allowed */

/* Keeps what Redis answered to a call that charges, as it is after it. Times are
 * monotonic, in us. False, and nothing is kept, when some of it is fuller than it can be,
 * unless somebody changed it by hand; with believe, it is kept all the same. */
bool last_seen_note(struct last_seen *seen, const struct charge_call *call,
                    const struct charge_outcome *outcomes, enum charge_mode mode,
                    bool believe, int64_t now_us);

/* When the last answer was kept. */
int64_t last_seen_noted_us(struct last_seen *seen);

/* Forgets these: they are changed by hand. */
void last_seen_forget(struct last_seen *seen, const struct charge *charges, size_t count);

/* Bounds the request of a relay's share by its part of what was seen last: a bucket has
 * no more than that and what it refilled since, a window counts as many copies. */
void last_seen_bound(struct last_seen *seen, const struct charge *charge, int nodes,
                     int64_t now_ms, int64_t now_us, struct limiter_request *request);

/* The store is away, and this was let pass all the same: it is owed. client as in
 * limiter_request. */
void last_seen_owe(struct last_seen *seen, const struct charge *charge, int64_t client,
                   int64_t now_ms, int64_t now_us);

/* The same of what such a call took: the store may have forgotten it meanwhile, and
 * nobody knew of it. */
void last_seen_owe_call(struct last_seen *seen, const struct charge_call *call,
                        const struct charge_outcome *outcomes, enum charge_mode mode,
                        int64_t now_us);
bool last_seen_owes(struct last_seen *seen);

/* One of them, as the store is to be told of it. */
struct last_seen_record {
    uint32_t index;
    char name[LAST_SEEN_NAME_SIZE];
    struct limiter_request request; /* its kind, rate or surge, and latch_ms */
    struct limiter_state state; /* by the store's clock; a bucket's stamp_ms is when it
                                   was seen, also of others; 0: never */
    int64_t seen_us;            /* the same, monotonic */
    size_t client_count;
    struct client_entry clients[CLIENT_SET_MAX];
    int64_t debt; /* tokens or copies owed */
};

/* Those that were seen at or after since_us, and those that are owed, newest first, but
 * what is far from full before the rest: for free(3). NOMEM. */
enum status last_seen_list(struct last_seen *seen, int64_t since_us, uint32_t **out,
                           size_t *out_count) MUST_CHECK;

/* Copies such a one; false when it is gone. */
bool last_seen_copy(struct last_seen *seen, uint32_t index, struct last_seen_record *out);

/* The store was told, at now_ms of its clock: what a record owed is paid. */
void last_seen_pay(struct last_seen *seen, const struct last_seen_record *record,
                   int64_t now_ms, int64_t now_us);

#endif
