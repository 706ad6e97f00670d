/* Token buckets in this process: what charge.lua does, in a table of fixed size. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "policy/store.h"

/* 2^15 sets of 8 buckets: some 14 MB. */
enum { MEMORY_ID_BYTES = 16, MEMORY_SETS = 1 << 15, MEMORY_WAYS = 8 };

/* A keyed hash that names rule and subject: nobody can aim for one set. */
struct memory_id {
    uint8_t bytes[MEMORY_ID_BYTES];
};

/* A charge as the table sees it. */
struct draw {
    struct memory_id id;
    struct rate rate;
    int64_t cost;
    bool monitor;
};

/* A bucket as a state file keeps it. */
struct memory_record {
    struct memory_id id;
    struct rate rate;
    struct bucket bucket;
};

struct memory;

/* NULL without memory. Safe from many threads. */
struct memory *memory_new(void);
void memory_free(struct memory *memory);

/* Does what policy/store.h says of store_charge, at now_ms on the wall clock. A bucket
 * that is full again gives its place away; with none of those in its set, the bucket
 * that is nearest to full is forgotten, never one of this call. UNAVAILABLE, and nothing
 * taken, when the call itself wants more than MEMORY_WAYS new buckets in one set. */
enum status memory_charge(struct memory *memory, const struct draw *draws, size_t count,
                          bool commit, int64_t now_ms,
                          struct outcome *out_outcomes) MUST_CHECK;

/* Copies the buckets that are not full, from *set on, at most capacity (at least
 * MEMORY_WAYS) of them; *set becomes MEMORY_SETS at the end. Returns how many. */
size_t memory_export(struct memory *memory, int64_t now_ms, size_t *set,
                     struct memory_record *out, size_t capacity);

/* Puts a bucket back; record->rate and ->bucket are in their bounds. */
void memory_import(struct memory *memory, const struct memory_record *record,
                   int64_t now_ms);

/* Makes a bucket full again. */
void memory_forget(struct memory *memory, const struct memory_id *id);

/* Grows with every charge that changed something. */
uint64_t memory_changes(struct memory *memory);

#endif
