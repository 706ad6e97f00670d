/* The inside of orders, for orders.c (asking) and orders_take.c (obeying). An order
 * is a head and parts. The head's line of terms, "to:HOST", is there while it waits;
 * below it "STATE UNTIL PARTS BEAT SIGNATURE". The parts, "ID.0" and so on, are those of
 * the order, and of its answer once the state is "done". */
#ifndef STORE_ORDERS_PARTS_H
#define STORE_ORDERS_PARTS_H

#include "store/orders.h"

enum {
    ORDERS_PART_BYTES = 15 * 1024,
    ORDERS_PARTS_MAX = ORDERS_TEXT_MAX / ORDERS_PART_BYTES,
    ORDERS_PART_ID_SIZE = DIGEST_ID_SIZE + 12,
    ORDERS_HEAD_SIZE = ORDERS_HOST_SIZE + 200,
    ORDERS_USED_MAX = 4096, /* ids remembered, at least until they lapse */
};

struct orders {
    struct store *store;
    struct digest_key key; /* for orders alone */
    char host[ORDERS_HOST_SIZE];
    char instance[DIGEST_ID_SIZE]; /* random, of this process */
    char facts[ORDERS_FACTS_SIZE];
    struct used_order { /* by the thread that takes them */
        char id[DIGEST_ID_SIZE];
        int64_t until_ms;
    } used[ORDERS_USED_MAX];
    size_t used_count;
};

struct order_head {
    char state[8]; /* "new", "taken" or "done" */
    int64_t until_ms;
    int parts;
    int beat;
    char signature[DIGEST_HEX_SIZE];
};

/* host NULL: it waits for nobody. */
void order_head_format(const struct order_head *head, const char *host,
                       char out[ORDERS_HEAD_SIZE]);
bool order_head_parse(const char *value, struct order_head *out);

/* How many parts a text has; -1: too many. */
int orders_count_parts(const char *text);

/* Writes a head, where expected is (NULL: nothing) or else CONFLICT, and the parts of
 * text (NULL: none) over those of before. head NULL: all of it is removed. */
struct orders_write {
    const char *id, *expected, *head, *text;
    int before; /* how many parts there are */
};
enum status orders_write(struct orders *orders, const struct orders_write *write,
                         int64_t deadline_us) MUST_CHECK;

/* The text of an order or an answer, for free(3). NOT_FOUND. */
enum status orders_read(struct orders *orders, const char *id, int parts,
                        int64_t deadline_us, char **out) MUST_CHECK;

/* Of what a relay says when it announces itself. False without memory, as those below. */
bool orders_sign_announcement(const struct orders *orders, const char *host,
                              const char *instance, int64_t at_ms,
                              char out[DIGEST_HEX_SIZE]);
bool orders_sign(const struct orders *orders, const char *id, const char *host,
                 const char *instance, int64_t until_ms, const char *text,
                 char out[DIGEST_HEX_SIZE]);
bool orders_sign_answer(const struct orders *orders, const char *id, const char *text,
                        char out[DIGEST_HEX_SIZE]);

#endif
