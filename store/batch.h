/* Charges that travel together: messages that wait for Redis at the same time share one
 * request. What is ready goes at once; a batch forms while a reply is under way. */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "store/charge_call.h"
#include "store/pool.h"

struct batch_queue;

/* Sends over at most so many connections of the pool at once; both are borrowed. A
 * silence shorter than half of timeout_ms proves nothing about Redis. NULL without
 * memory. */
struct batch_queue *batch_queue_new(struct pool *pool, int connections, int timeout_ms);
void batch_queue_free(struct batch_queue *queue); /* nobody charges; NULL is allowed */

/* Runs a call of charge.lua, perhaps with those of others: in some order, each as if
 * alone. INVALID when a key's own data is at fault, with the reason; LIMIT when
 * POOL_WAITERS_MAX are inside already, or as many as there are connections if those are
 * more; NOMEM; CONFLICT when the store moves and the call was not run: then it may be run
 * again, best alone; UNAVAILABLE for all else, deadline_us (monotonic) included. */
enum status batch_charge(struct batch_queue *queue, struct charge_call *call,
                         int64_t deadline_us, struct charge_outcome *out_outcomes,
                         struct error *error) MUST_CHECK;

#endif
