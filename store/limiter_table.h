/* A set-associative table of fixed size, for rows of one size. No lock, no I/O. */
#ifndef STORE_LIMITER_TABLE_H
#define STORE_LIMITER_TABLE_H

#include "store/limiter_request.h"

/* What each row begins with. */
struct row {
    struct memory_id id;
    int64_t latch_end_ms; /* 0: none was set */
    bool used;
    bool held; /* by the call that has the lock: not to be given away */
    bool own;  /* the latch was set here, and the shared store has not heard of it */
};

/* What would be lost with a row: the greater loss, and of two alike the newer row, stays.
 */
struct loss {
    int64_t amount; /* 0: nothing */
    int64_t since_ms;
};

struct limiter_table {
    unsigned char *rows;
    size_t row_size;
    size_t sets;
    struct loss (*loss)(const struct row *row, int64_t now_ms);
    bool keeps; /* no row is given away whose loss is more than nothing */
};

enum { LIMITER_TABLE_WAYS = 8 };

enum status limiter_table_init(struct limiter_table *table, size_t sets, size_t row_size,
                               struct loss (*loss)(const struct row *row,
                                                   int64_t now_ms)) MUST_CHECK;
void limiter_table_clear(struct limiter_table *table);

/* Row i of all, used or not. */
struct row *limiter_table_row(const struct limiter_table *table, size_t i);

/* NULL when there is none. */
struct row *limiter_table_find(const struct limiter_table *table,
                               const struct memory_id *id);

/* That the first is the lesser loss. */
bool limiter_table_is_less(struct loss a, struct loss b);

/* Holds the place in id's set that loses least, to be written over: a free one, or that
 * of another row. NULL when the call at hand holds them all, or the table keeps them. */
struct row *limiter_table_reserve(const struct limiter_table *table,
                                  const struct memory_id *id, int64_t now_ms);

/* Doubles the number of sets; rows move, and none may be held. NOMEM: it stays as it is.
 */
enum status limiter_table_double(struct limiter_table *table) MUST_CHECK;

#endif
