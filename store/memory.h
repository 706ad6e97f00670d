/* Token buckets, windows and sets of clients in this process: what charge.lua and
 * amend.lua do, in tables of fixed size. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/amend.h"
#include "store/rows.h"

/* 262,144 buckets in 19 MB, 131,072 windows in 22 MB (16 times as many of each where they
 * may grow), and 65,536 sets in 4 MB, with a million clients in 16 MB
 * (CLIENT_PLACES_MAX). What is not used takes no memory. */
enum {
    MEMORY_WAYS = LIMITER_TABLE_WAYS,
    MEMORY_BUCKET_SETS = 1 << 15,
    MEMORY_WINDOW_SETS = 1 << 14,
    MEMORY_CLIENT_SETS = 1 << 13,
    MEMORY_SETS = MEMORY_BUCKET_SETS + MEMORY_WINDOW_SETS + MEMORY_CLIENT_SETS,
    MEMORY_GROWTH_MAX = 16,
};

/* A bucket, window or set of clients as a state file keeps it. request has id, kind, and
 * rate or surge. */
struct memory_record {
    struct limiter_request request;
    struct limiter_state state;
    size_t client_count;
    struct client_entry clients[CLIENT_SET_MAX]; /* in the order of their stamps */
};

/* What the shared store was seen to have of a request. */
struct observation {
    int64_t latch_ms; /* how long its latch still lasts; 0: it is not set */
    int64_t copies;   /* of a past window that says how many are usual; 0: none does. Of a
                         permit: what is left for us */
    bool taken;       /* its set of clients has the client now */
    bool reported;    /* the shared store knows of our own latch now */
};

struct memory;

/* NULL when out of memory. Safe from many threads. */
struct memory *memory_new(void);
void memory_free(struct memory *memory);

/* Lets the tables grow before memory_charge forgets anything, as Redis forgets nothing:
 * what is judged on a simulated clock is not a daemon's to survive a flood with. */
void memory_let_grow(struct memory *memory);

/* Does what policy/charge.h says of store_charge, at now_ms on the wall clock. What is
 * worth nothing any more gives its place away; without that, what loses least in its set
 * is forgotten (rows.c), never one of this call. UNAVAILABLE, and nothing taken, when the
 * call itself wants more than MEMORY_WAYS new places in one set. */
enum status memory_charge(struct memory *memory, const struct limiter_request *requests,
                          size_t count, enum charge_mode mode, int64_t now_ms,
                          struct charge_outcome *out_outcomes) MUST_CHECK;

/* As store_amend. UNAVAILABLE as above; then some may not have been amended. */
enum status memory_amend(struct memory *memory, const struct limiter_request *requests,
                         size_t count, enum amend what, int64_t now_ms) MUST_CHECK;

/* The window of a request as it stands. */
void memory_window(struct memory *memory, const struct limiter_request *request,
                   int64_t now_ms, struct window *out);

/* For how long each request is latched by what was seen here alone; 0: it is not. */
void memory_recall(struct memory *memory, const struct limiter_request *requests,
                   size_t count, int64_t now_ms, int64_t *out_own_ms);

/* Keeps what the shared store was seen to have of requests with a latch, a window or a
 * set of clients, of each an observation. Our own latches stay until it was told of them.
 */
void memory_mirror(struct memory *memory, const struct limiter_request *requests,
                   const struct observation *observations, size_t count, int64_t now_ms);

/* Copies what is worth keeping, from *set on, at most capacity (at least MEMORY_WAYS) of
 * them; *set becomes MEMORY_SETS at the end. Returns how many. */
size_t memory_export(struct memory *memory, int64_t now_ms, size_t *set,
                     struct memory_record *out, size_t capacity);

/* Puts one back; all numbers are in their bounds. */
void memory_import(struct memory *memory, const struct memory_record *record,
                   int64_t now_ms);

/* Grows with every call that changed something. */
uint64_t memory_changes(struct memory *memory);

#endif
