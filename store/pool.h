/* The breaker, and the connections that are ready while it is closed. The mail path takes
 * and gives back; one reconnector alone connects and closes the breaker again. */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include "store/connection.h"
#include "store/store.h"

enum { POOL_WAITERS_MAX = 64, POOL_CONNECTIONS_MAX = 256, POOL_WHY_SIZE = 300 };

struct pool;

/* A connection that the mail path has; generation counts the openings of the breaker. */
struct lease {
    struct connection *connection;
    uint64_t generation;
};

/* The breaker is open until pool_restore. size: 1 to POOL_CONNECTIONS_MAX. NULL without
 * memory. */
struct pool *pool_new(int size, struct store_reporter reporter);
void pool_free(struct pool *pool); /* no lease is out; NULL is allowed */

/* The mail path: a ready connection, waited for until deadline_us (monotonic).
 * UNAVAILABLE when the breaker is or gets open, and at the deadline; LIMIT when
 * POOL_WAITERS_MAX wait already. A lease ends by one of
 *   give  the connection is fine; answered: Redis answered over it
 *   drop  it is dead, which says nothing about Redis
 *   miss  it is dead: what was asked at asked_us got no answer. Once is a slow reply; the
 *         breaker opens when it happens again and again, and nobody is answered meanwhile
 *   trip  it is dead, and Redis answered that nobody else should try: opens the breaker,
 *         or renews all connections if it said that the store has moved
 * The last two say why. */
enum status pool_take(struct pool *pool, int64_t deadline_us,
                      struct lease *out_lease) MUST_CHECK;
void pool_give(struct pool *pool, const struct lease *lease, bool answered);
/* True after an answer when the lease may go on, since nobody else waits for it; else it
 * is to be given. */
bool pool_keep(struct pool *pool, const struct lease *lease);
void pool_drop(struct pool *pool, const struct lease *lease);
void pool_miss(struct pool *pool, const struct lease *lease, int64_t asked_us,
               const char *why);
void pool_trip(struct pool *pool, const struct lease *lease, const char *why);

bool pool_is_open(struct pool *pool);

/* Why the breaker is open; false when it is not. */
bool pool_why(struct pool *pool, char *out, size_t size);

/* Of the mail path's, those that did not open the breaker. */
struct store_silences pool_silences(struct pool *pool);

/* Waits until the reconnector's first probe went one way or the other. */
void pool_await_first(struct pool *pool, int64_t deadline_us);

enum pool_task { POOL_STOP, POOL_PROBE, POOL_CONNECT, POOL_DETOUR, POOL_LOOK };

/* The reconnector: what to do next; waits for it. A probe (breaker open), a connection
 * (one is missing) and a look at where the store is (breaker closed; INT64_MAX: none) are
 * due no earlier than their monotonic times. */
enum pool_task pool_await_task(struct pool *pool, int64_t probe_us, int64_t connect_us,
                               int64_t look_us);

/* Gives the reconnector the task POOL_DETOUR, before any other. */
void pool_call(struct pool *pool);

/* A probe failed. */
void pool_stay_open(struct pool *pool, const char *why);

/* A probe succeeded: closes the breaker with these connections (1 to size), which it owns
 * now. Those of before are freed. */
void pool_restore(struct pool *pool, struct connection *const *connections, int count);

/* A missing connection, or why there is none. When nobody answered (silent) that counts
 * as pool_miss; a refusal opens the breaker when there is no other connection. */
void pool_add(struct pool *pool, struct connection *connection);
void pool_lack(struct pool *pool, bool silent, const char *why);

/* The store has moved: drops all connections, the breaker stays as it is, and mail waits
 * for the reconnector's next. pool_trip does so where connection_has_moved. */
void pool_renew(struct pool *pool);

/* The reconnector is to stop. */
void pool_stop(struct pool *pool);

#endif
