/* charge.lua and amend.lua: what they are sent, and what their replies mean. */
#ifndef STORE_CHARGE_CALL_H
#define STORE_CHARGE_CALL_H

#include "base/text.h"
#include "policy/charge.h"
#include "store/connection.h"
#include "store/scripts.h"

/* The first number of a charge as the scripts read it. */
enum charge_flag {
    CHARGE_FLAG_WINDOW = 1,
    CHARGE_FLAG_MONITOR = 2,
    CHARGE_FLAG_TRAINS = 4,
    CHARGE_FLAG_ALONG = 8,
    CHARGE_FLAG_CLIENTS = 16, /* with CHARGE_FLAG_WINDOW: it is no bucket */
    CHARGE_FLAG_PERMIT = 32,
};

/* What to do to the buckets and windows of which charges. Borrowed as long as the call.
 */
struct charge_order {
    const struct script_text *script;
    const char *mode;
    const struct charge *charges;
    size_t count;                 /* 1 to CHARGE_CALL_MAX */
    const struct digest_key *key; /* of clients' numbers; NULL: no charge has clients */
    const int64_t *carried; /* of each, for how long its latch stands by what only this
                               process has seen; NULL: none does */
};

/* Redis answers with up to four elements each, and the time. */
enum { CHARGE_CALL_MAX = (CONNECTION_ELEMENTS_MAX - 1) / 4 };

/* The charges of one message, ready to be sent. */
struct charge_call;

/* NULL without memory. */
struct charge_call *charge_call_new(const struct charge_order *order);
void charge_call_free(struct charge_call *call); /* NULL is allowed */

const struct charge_order *charge_call_order(const struct charge_call *call);

/* The key of the next charge, for each of them before the call is sent. Copied. */
void charge_call_add_key(struct charge_call *call, const char *key);

/* Of the reply to it, without the time. */
size_t charge_call_elements(const struct charge_call *call);

/* The request that serves all of these in this order; they have one script, of which
 * by_text sends the text and not the SHA-1. In out, which fails without memory. */
void charge_call_print(struct charge_call *const *calls, size_t count, bool by_text,
                       struct text *out);

/* What the reply to such a request says of the next call, an outcome a charge; *at is
 * where that begins, 0 at first, and moves on. INVALID when a key's own data is at fault
 * (another type, no bucket's value), which concerns that call alone: error has Redis's
 * text. UNAVAILABLE for whatever charge.lua does not return. */
enum status charge_call_take(struct charge_call *call, const struct redisReply *reply,
                             size_t *at, struct charge_outcome *out_outcomes,
                             struct error *error) MUST_CHECK;

/* Moves *at over what it says of a call that is answered with so many elements. */
void charge_call_skip(const struct redisReply *reply, size_t elements, size_t *at);

/* How a bucket or window was before its charge, as Redis answered. Borrowed. */
struct charge_found {
    int64_t rest; /* of a bucket; 0 where it could not be told */
    struct window window;
};

/* Goes over the charges of a call: zero at first. */
struct charge_cursor {
    size_t i; /* of the next charge */
    size_t at;
};

/* The key of the next charge, without a NUL; NULL after the last. Borrowed. */
const char *charge_call_next_key(const struct charge_call *call,
                                 struct charge_cursor *cursor, size_t *out_length);

/* Of each charge, once the reply was taken. */
const struct charge_found *charge_call_found(const struct charge_call *call);

/* The server's time at that instant, in ms. */
int64_t charge_call_now_ms(const struct charge_call *call);

/* Each of these sends it alone, and reads the reply that its mode has. INVALID as above,
 * and the connection is fine. UNAVAILABLE, IO or NOMEM for all else; then the connection
 * is dead. */

/* Modes peek, latch, take and probe. */
enum status charge_call_run(struct charge_call *call, struct connection *connection,
                            int64_t deadline_us, struct charge_outcome *out_outcomes,
                            struct error *error) MUST_CHECK;

/* Modes reset, unlatch and train. */
enum status charge_call_amend(struct charge_call *call, struct connection *connection,
                              int64_t deadline_us, struct error *error) MUST_CHECK;

/* Mode show, of one window. */
enum status charge_call_show(struct charge_call *call, struct connection *connection,
                             int64_t deadline_us, struct window *out,
                             struct error *error) MUST_CHECK;

#endif
