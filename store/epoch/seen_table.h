/* The entries of last_seen.c: a hash table whose rows are also in two lists. No lock. */
#ifndef STORE_EPOCH_SEEN_TABLE_H
#define STORE_EPOCH_SEEN_TABLE_H

#include "store/epoch/last_seen.h"

#define SEEN_NONE UINT32_MAX

struct seen_window {
    struct surge surge;
    struct window window;
};

struct seen_entry {
    char name[LAST_SEEN_NAME_SIZE]; /* "": unused */
    uint16_t client_count, client_room;
    bool is_window, has_clients;
    bool heavy;            /* it is in that list */
    uint32_t next;         /* with the same head */
    uint32_t newer, older; /* in the list */
    int32_t level; /* of a bucket, as are rest and rate; clients have a rate, too */
    int32_t tokens, burst;
    int64_t period_ms, rest;
    int64_t stamp_ms; /* of the store's clock when it was seen; 0: it never was */
    int64_t seen_us;  /* monotonic */
    int64_t latch_end_ms, latch_ms;
    int64_t debt;
    struct seen_window *window;   /* owned */
    struct client_entry *clients; /* owned; those that this relay saw accepted */
};

/* By the rows' numbers. */
struct seen_list {
    uint32_t newest, oldest;
};

struct seen_table {
    struct seen_entry *entries; /* LAST_SEEN_MAX */
    uint32_t *heads;
    uint32_t used;
    struct seen_list heavy; /* latched, owed, usual, or more than half used up */
    struct seen_list light; /* the rest */
    size_t owed;            /* entries with a debt */
};

/* NOMEM. */
enum status seen_table_init(struct seen_table *table) MUST_CHECK;
void seen_table_clear(struct seen_table *table);

/* NULL when there is none. */
struct seen_entry *seen_table_find(const struct seen_table *table, const char *name);

/* A new entry of that name for a request of that kind, at the head of a list; of the
 * light ones, the one that was seen longest ago gives its place away. NULL without
 * memory. */
struct seen_entry *seen_table_add(struct seen_table *table, const char *name,
                                  const struct limiter_request *request, int64_t now_ms);

/* Puts an entry that was written at the head of its list, whichever that is now. */
void seen_table_renew(struct seen_table *table, struct seen_entry *entry, int64_t now_ms);

/* Takes its name away, and all that it has; it is still listed. */
void seen_table_empty(struct seen_table *table, struct seen_entry *entry);

/* Its bucket, as of its stamp. */
struct bucket seen_entry_bucket(const struct seen_entry *entry);

#endif
