/* A set-associative table of token buckets under one lock, with no I/O below it. A bucket
 * that is full again is worth nothing and counts as a free place, so the table needs no
 * sweeping; a charge first looks, then makes sure of every place, then writes. */
#include "store/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Levels and rates are at most 10^9 and fit 32 bits: 56 bytes a bucket. */
struct entry {
    struct memory_id id;
    int64_t rest, stamp_ms, period_ms;
    int32_t level, tokens, burst;
    bool used;
    bool held; /* by the call that has the lock: not to be given away */
};

struct memory {
    pthread_mutex_t mutex;
    uint64_t changes;
    struct entry *entries; /* MEMORY_SETS x MEMORY_WAYS */
};

/* What one draw found and wants. */
struct look {
    struct entry *entry; /* NULL: not in the table */
    struct bucket bucket;
    int64_t left;
    bool write;
};

struct memory *memory_new(void)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return NULL;
    memory->entries = calloc((size_t)MEMORY_SETS * MEMORY_WAYS, sizeof *memory->entries);
    if (memory->entries == NULL || pthread_mutex_init(&memory->mutex, NULL) != 0) {
        free(memory->entries);
        free(memory);
        return NULL;
    }
    return memory;
}

void memory_free(struct memory *memory)
{
    if (memory == NULL)
        return;
    (void)pthread_mutex_destroy(&memory->mutex);
    free(memory->entries);
    free(memory);
}

static struct entry *set_of(struct memory *memory, const struct memory_id *id)
{
    uint32_t hash;
    memcpy(&hash, id->bytes, sizeof hash);
    return memory->entries + (size_t)(hash % MEMORY_SETS) * MEMORY_WAYS;
}

static struct rate rate_of(const struct entry *entry)
{
    return (struct rate){entry->tokens, entry->period_ms, entry->burst};
}

/* The bucket of an entry at now. The rate is another than the entry's when nodes was
 * changed: then the rest has another unit and is dropped. */
static struct bucket bucket_of(const struct entry *entry, const struct rate *rate,
                               int64_t now_ms)
{
    int64_t rest = entry->period_ms == rate->period_ms ? entry->rest : 0;
    struct bucket bucket = {entry->level, rest, entry->stamp_ms};
    bucket_refill(&bucket, rate, now_ms);
    return bucket;
}

static struct entry *find(struct memory *memory, const struct memory_id *id)
{
    struct entry *set = set_of(memory, id);
    for (int i = 0; i < MEMORY_WAYS; i++)
        if (set[i].used && memcmp(&set[i].id, id, sizeof *id) == 0)
            return &set[i];
    return NULL;
}

/* Holds the place in id's set that loses least: a free one, or that of the bucket with
 * the smallest part missing. NULL when this call holds them all. */
static struct entry *reserve(struct memory *memory, const struct memory_id *id,
                             int64_t now_ms)
{
    struct entry *set = set_of(memory, id);
    struct entry *best = NULL;
    int64_t best_missing = 0;
    for (int i = 0; i < MEMORY_WAYS; i++) {
        struct entry *entry = &set[i];
        int64_t missing = 0;
        if (entry->held)
            continue;
        if (entry->used) {
            struct rate rate = rate_of(entry);
            missing = rate.burst - bucket_of(entry, &rate, now_ms).level;
        }
        /* missing / burst, compared by cross products below 10^18 */
        if (best == NULL || missing == 0 ||
            missing * best->burst < best_missing * entry->burst) {
            best = entry;
            best_missing = missing;
        }
        if (missing == 0)
            break;
    }
    if (best != NULL)
        best->held = true;
    return best;
}

static void put(struct entry *entry, const struct memory_id *id, const struct rate *rate,
                const struct bucket *bucket)
{
    entry->id = *id;
    entry->rest = bucket->rest;
    entry->stamp_ms = bucket->stamp_ms;
    entry->period_ms = rate->period_ms;
    entry->level = (int32_t)bucket->level;
    entry->tokens = (int32_t)rate->tokens;
    entry->burst = (int32_t)rate->burst;
    entry->used = true;
}

static void look_at(struct memory *memory, const struct draw *draw, int64_t now_ms,
                    struct look *look)
{
    assert(draw->cost >= 0);
    look->entry = find(memory, &draw->id);
    look->write = false;
    if (look->entry == NULL) {
        look->bucket = bucket_full(&draw->rate, now_ms);
    } else {
        assert(!look->entry->held); /* the same bucket twice in one call */
        look->entry->held = true;
        look->bucket = bucket_of(look->entry, &draw->rate, now_ms);
    }
    look->left = look->bucket.level;
}

/* Takes from the looks' buckets and makes sure of their places; the table is as before.
 */
static enum status prepare(struct memory *memory, const struct draw *draws, size_t count,
                           struct look *looks, int64_t now_ms)
{
    bool passes = true;
    for (size_t i = 0; i < count; i++)
        passes = passes && (draws[i].monitor || draws[i].cost <= looks[i].left);
    for (size_t i = 0; i < count; i++) {
        struct look *look = &looks[i];
        bool take =
            passes && draws[i].cost > 0 && bucket_take(&look->bucket, draws[i].cost);
        /* After a step back of the clock the new stamp is kept though nothing is taken,
         * or the bucket would not refill before the old one comes round again. */
        look->write = take || (look->entry != NULL && look->entry->stamp_ms > now_ms);
        if (take && look->entry == NULL)
            look->entry = reserve(memory, &draws[i].id, now_ms);
        if (take && look->entry == NULL)
            return STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}

/* Under the lock. */
static enum status charge(struct memory *memory, const struct draw *draws, size_t count,
                          struct look *looks, int64_t now_ms)
{
    enum status status = prepare(memory, draws, count, looks, now_ms);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!looks[i].write)
            continue;
        put(looks[i].entry, &draws[i].id, &draws[i].rate, &looks[i].bucket);
        memory->changes++;
    }
    return status;
}

enum status memory_charge(struct memory *memory, const struct draw *draws, size_t count,
                          bool commit, int64_t now_ms, struct outcome *out_outcomes)
{
    struct look *looks = calloc(count > 0 ? count : 1, sizeof *looks);
    if (looks == NULL)
        return STATUS_NOMEM;
    enum status status = STATUS_OK;
    (void)pthread_mutex_lock(&memory->mutex);
    for (size_t i = 0; i < count; i++)
        look_at(memory, &draws[i], now_ms, &looks[i]);
    if (commit)
        status = charge(memory, draws, count, looks, now_ms);
    for (size_t i = 0; i < count; i++)
        if (looks[i].entry != NULL)
            looks[i].entry->held = false;
    (void)pthread_mutex_unlock(&memory->mutex);

    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        out_outcomes[i] = (struct outcome){.left = looks[i].left,
                                           .burst = draws[i].rate.burst,
                                           .fits = draws[i].cost <= looks[i].left};
    free(looks);
    return status;
}

size_t memory_export(struct memory *memory, int64_t now_ms, size_t *set,
                     struct memory_record *out, size_t capacity)
{
    size_t count = 0;
    assert(capacity >= MEMORY_WAYS);
    (void)pthread_mutex_lock(&memory->mutex);
    for (; *set < MEMORY_SETS && capacity - count >= MEMORY_WAYS; ++*set) {
        const struct entry *entries = memory->entries + *set * MEMORY_WAYS;
        for (int i = 0; i < MEMORY_WAYS; i++) {
            struct rate rate = rate_of(&entries[i]);
            if (!entries[i].used)
                continue;
            struct bucket bucket = bucket_of(&entries[i], &rate, now_ms);
            if (bucket.level < rate.burst)
                out[count++] = (struct memory_record){entries[i].id, rate, bucket};
        }
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    return count;
}

void memory_import(struct memory *memory, const struct memory_record *record,
                   int64_t now_ms)
{
    assert(rate_is_valid(&record->rate));
    (void)pthread_mutex_lock(&memory->mutex);
    struct entry *entry = find(memory, &record->id);
    if (entry == NULL)
        entry = reserve(memory, &record->id, now_ms);
    if (entry != NULL) {
        put(entry, &record->id, &record->rate, &record->bucket);
        entry->held = false;
    }
    (void)pthread_mutex_unlock(&memory->mutex);
}

void memory_forget(struct memory *memory, const struct memory_id *id)
{
    (void)pthread_mutex_lock(&memory->mutex);
    struct entry *entry = find(memory, id);
    if (entry != NULL) {
        entry->used = false;
        memory->changes++;
    }
    (void)pthread_mutex_unlock(&memory->mutex);
}

uint64_t memory_changes(struct memory *memory)
{
    (void)pthread_mutex_lock(&memory->mutex);
    uint64_t changes = memory->changes;
    (void)pthread_mutex_unlock(&memory->mutex);
    return changes;
}
