/* While a Cluster moves our slot from one node to another, the old node answers ASK for
 * what has moved: the same is then asked of the new one, after ASKING, without taking it
 * for the slot's node already. The detour is a connection to that node; mail shares it,
 * and the reconnector opens it when it is wanted. */
#ifndef STORE_DETOUR_H
#define STORE_DETOUR_H

#include "store/connection.h"
#include "store/pool.h"

struct detour;

/* The pool's reconnector is called when a connection is wanted (POOL_DETOUR). NULL
 * without memory. */
struct detour *detour_new(struct pool *pool);
void detour_free(struct detour *detour); /* nobody asks; NULL is allowed */

/* As connection_ask; an ASK of the connection's server is followed if the connection has
 * a detour. The reply is ASK itself when the other node does not have the slot either, or
 * can't be reached: then nothing was carried out. */
enum status detour_ask(struct connection *connection,
                       const struct connection_command *command, int64_t deadline_us,
                       struct redisReply **out_reply, struct error *error) MUST_CHECK;

/* The reply says that the slot moves, and that nothing was carried out: ASK, or TRYAGAIN
 * while of several keys some have moved. */
bool detour_is_moving(const struct redisReply *reply);

/* The reconnector: which node is wanted, as its "ASK ..."; false when none is. */
enum { DETOUR_TEXT_SIZE = 300 };
bool detour_wants(struct detour *detour, char out[DETOUR_TEXT_SIZE]);

/* A connection to the node that was wanted, or NULL: there is none. */
void detour_bring(struct detour *detour, struct connection *connection);

#endif
