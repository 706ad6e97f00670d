/* Orders of one relay to another, and the answers: texts in the store, signed with the
 * key that the relays share. An order is for one process, for a few seconds, and for one
 * use: it is taken from the store once, and its id is never taken again. One that is not
 * taken in time lapses: the relay that asks removes it after ORDERS_LIFE_MS, and the
 * relay that obeys refuses it after ORDERS_VALID_MS by its own clock, whatever other
 * clocks say. */
#ifndef STORE_ORDERS_H
#define STORE_ORDERS_H

#include "base/digest.h"
#include "store/documents.h"

struct orders;

enum {
    ORDERS_LIFE_MS = 10000,            /* until it lapses, and of a relay's silence */
    ORDERS_ANNOUNCE_MS = 5000,         /* between two announcements */
    ORDERS_VALID_MS = 30000,           /* of an order, from the last of them */
    ORDERS_TEXT_MAX = 250 * 15 * 1024, /* bytes of an order, and of an answer */
    ORDERS_HOST_SIZE = 256,
};

/* host: this relay's name, copied. store is borrowed, key copied. NULL without memory.
 * Any thread may send and await; one alone announces and takes. */
struct orders *orders_new(struct store *store, const struct digest_key *key,
                          const char *host);
void orders_free(struct orders *orders);

/* ---- the relay that asks; deadlines are monotonic, in us ---- */

struct sent_order {
    char id[DIGEST_ID_SIZE];
    char host[ORDERS_HOST_SIZE]; /* the relay that it is for */
    int64_t sent_us;             /* monotonic */
};

/* text is ASCII. NOT_FOUND: no relay of that name has announced itself; CONFLICT: one
 * has, but with another key. LIMIT: the text is too long, or there are too many orders.
 * UNAVAILABLE: the store can't take it. OK also when it is not known whether it could. */
enum status orders_send(struct orders *orders, const char *host, const char *text,
                        int64_t deadline_us, struct sent_order *out,
                        struct error *error) MUST_CHECK;

/* Waits for the answer, for free(3). NOT_FOUND: nobody took it in time, and nobody will.
 * CONFLICT: that relay refused it. UNAVAILABLE: it was taken, or the store went away; its
 * answer did not come, and it may have been carried out. error names the relay. */
enum status orders_await(struct orders *orders, const struct sent_order *sent,
                         char **out_answer, struct error *error) MUST_CHECK;

/* ---- the relay that obeys; now_ms is wall time ---- */

struct order {
    char id[DIGEST_ID_SIZE];
    char *text; /* owned: order_clear */
    char *head; /* as it is in the store; orders' own */
};
void order_clear(struct order *order);

/* What the next announcements say of this relay: one line of ASCII, copied; whoever reads
 * them can't tell that it is true. By the thread that announces. */
enum { ORDERS_FACTS_SIZE = 200 };
void orders_set_facts(struct orders *orders, const char *facts);

/* Says that this process takes orders, and what its clock says. At the start and every
 * ORDERS_ANNOUNCE_MS. */
enum status orders_announce(struct orders *orders, int64_t now_ms,
                            int64_t deadline_us) MUST_CHECK;

/* Takes the next order to this process. NOT_FOUND: there is none. INVALID, with the
 * reason: one was refused and is gone; there may be others. */
enum status orders_take(struct orders *orders, int64_t now_ms, int64_t deadline_us,
                        struct order *out, struct error *error) MUST_CHECK;

/* Says that an order is still being carried out; more often than ORDERS_LIFE_MS. After
 * UNAVAILABLE, try again. CONFLICT: nobody waits for it any more. */
enum status orders_beat(struct orders *orders, struct order *order,
                        int64_t deadline_us) MUST_CHECK;

/* answer is ASCII. LIMIT: it is too long. The others as above. */
enum status orders_answer(struct orders *orders, struct order *order, const char *answer,
                          int64_t deadline_us) MUST_CHECK;

/* Removes what nobody waits for any more. Now and then. */
enum status orders_prune(struct orders *orders, int64_t now_ms,
                         int64_t deadline_us) MUST_CHECK;

/* The names of relays that announced themselves at or after since_ms by their own
 * clocks, this one included, also of those with another key: calls each with the name as
 * id, and the facts. */
enum status orders_relays(struct orders *orders, int64_t since_ms, int64_t deadline_us,
                          store_each *each, void *context) MUST_CHECK;

#endif
