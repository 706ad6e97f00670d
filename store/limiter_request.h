/* A charge as the memory of this process sees it, and what it leaves behind. */
#ifndef STORE_LIMITER_REQUEST_H
#define STORE_LIMITER_REQUEST_H

#include "base/digest.h"
#include "policy/charge.h"

enum { MEMORY_ID_BYTES = DIGEST_BYTES };

/* A keyed hash that names rule and subject: nobody can aim for one set of a table. */
struct memory_id {
    uint8_t bytes[MEMORY_ID_BYTES];
};

/* Of a bucket, or of a window. */
struct limiter_request {
    struct memory_id id;
    bool is_window;
    struct rate rate;   /* of a bucket */
    struct surge surge; /* of a window */
    int64_t cost;
    int64_t latch_ms;
    int64_t whole_floor; /* of a window that is but a share: the floor of all relays
                            together; 0: it is the whole */
    int64_t nodes;       /* that share it; 0: it is the whole */
    bool monitor, trains, along;
};

struct limiter_effect {
    bool takes;   /* a bucket is drawn from, a window counts the cost */
    bool latches; /* its latch is set for latch_ms */
    bool brakes;  /* its window is not a usual one */
};

/* What store_charge says of a message, once it is known what was found: one
 * effect per request. */
void limiter_request_settle(const struct limiter_request *requests, size_t count,
                            const struct charge_outcome *outcomes, enum charge_mode mode,
                            struct limiter_effect *out);

#endif
