/* A hash table of fixed size, whose smallest entry is the first of a heap: to count a
 * message costs about the same whether its key is known or not. */
#include "engine/heavy_hitters.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { NOWHERE = -1 };

void heavy_hitters_init(struct heavy_hitters *table)
{
    memset(table, 0, sizeof *table);
    digest_key_random(&table->key);
    for (size_t i = 0; i < HEAVY_HITTERS_CHAINS; i++)
        table->chains[i] = NOWHERE;
}

/* ---- the heap ---- */

static void place(struct heavy_hitters *table, size_t at, struct heavy_hitter_place item)
{
    table->heap[at] = item;
    table->places[item.entry] = (int)at;
}

/* What has become larger goes down. */
static void sink(struct heavy_hitters *table, size_t at)
{
    const struct heavy_hitter_place item = table->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < table->count &&
            table->heap[child + 1].copies < table->heap[child].copies)
            child++;
        if (child >= table->count || table->heap[child].copies >= item.copies)
            break;
        place(table, at, table->heap[child]);
        at = child;
    }
    place(table, at, item);
}

/* Only a full table needs to know its smallest. */
static bool is_full(const struct heavy_hitters *table)
{
    return table->count == HEAVY_HITTERS_MAX;
}

static void add_place(struct heavy_hitters *table)
{
    size_t at = table->count++;
    place(table, at, (struct heavy_hitter_place){.entry = (int)at});
    for (size_t i = table->count / 2; i-- > 0 && is_full(table);)
        sink(table, i);
}

static void update_place(struct heavy_hitters *table, int entry)
{
    size_t at = (size_t)table->places[entry];
    table->heap[at].copies = table->entries[entry].day.copies;
    if (is_full(table))
        sink(table, at);
}

/* ---- entries ---- */

static uint64_t hash_key(const struct heavy_hitters *table, const char *key,
                         size_t length)
{
    uint8_t bytes[DIGEST_BYTES];
    uint64_t hash;
    digest_quick(&table->key, key, length, bytes);
    memcpy(&hash, bytes, sizeof hash);
    return hash;
}

static int *chain_of(struct heavy_hitters *table, uint64_t hash)
{
    return &table->chains[hash % HEAVY_HITTERS_CHAINS];
}

static void unchain(struct heavy_hitters *table, int entry)
{
    int *link = chain_of(table, table->entries[entry].hash);
    while (*link != entry)
        link = &table->entries[*link].next;
    *link = table->entries[entry].next;
}

/* A free place, or the smallest one's, with its numbers of the day. */
static int take_place(struct heavy_hitters *table)
{
    if (is_full(table)) {
        unchain(table, table->heap[0].entry);
        return table->heap[0].entry;
    }
    add_place(table);
    return (int)table->count - 1;
}

static int obtain(struct heavy_hitters *table, const char *key)
{
    size_t length = strnlen(key, HEAVY_HITTER_KEY_SIZE - 1);
    uint64_t hash = hash_key(table, key, length);
    int *chain = chain_of(table, hash);
    for (int i = *chain; i != NOWHERE; i = table->entries[i].next)
        if (table->entries[i].hash == hash)
            return i;
    int taken = take_place(table);
    struct heavy_hitter *entry = &table->entries[taken];
    *entry = (struct heavy_hitter){.hash = hash, .day = entry->day, .next = *chain};
    text_join(entry->key, sizeof entry->key, key, "");
    *chain = taken;
    return taken;
}

static void add(struct hits *to, const struct hits *more)
{
    to->messages += more->messages;
    to->copies += more->copies;
    to->stopped += more->stopped;
}

/* Minutes without mail count nothing. */
static void advance(struct heavy_hitter *entry, int64_t minute)
{
    int64_t passed = minute - entry->minute;
    if (passed < 0 || passed >= HEAVY_HITTERS_MINUTES)
        memset(entry->minutes, 0, sizeof entry->minutes);
    for (int64_t i = 1; i <= passed && passed < HEAVY_HITTERS_MINUTES; i++)
        entry->minutes[(entry->minute + i) % HEAVY_HITTERS_MINUTES] = (struct hits){0};
    entry->minute = minute;
}

void heavy_hitters_add(struct heavy_hitters *table, const char *key,
                       const struct hits *hits, int64_t minute)
{
    int number = obtain(table, key);
    struct heavy_hitter *entry = &table->entries[number];
    if (minute >= 0) {
        advance(entry, minute);
        add(&entry->minutes[minute % HEAVY_HITTERS_MINUTES], hits);
    }
    add(&entry->day, hits);
    update_place(table, number);
}

void heavy_hitters_turn_day(struct heavy_hitters *table)
{
    for (size_t i = 0; i < table->count; i++) {
        table->entries[i].day = (struct hits){0};
        table->heap[i].copies = 0;
    }
}

/* ---- lists ---- */

/* Of the last HEAVY_HITTERS_MINUTES up to now. */
static struct hits sum_minutes(const struct heavy_hitter *entry, int64_t now)
{
    struct hits sum = {0};
    for (int64_t i = 0; i < HEAVY_HITTERS_MINUTES; i++) {
        int64_t minute = entry->minute - i;
        if (minute >= 0 && minute <= now && now - minute < HEAVY_HITTERS_MINUTES)
            add(&sum, &entry->minutes[minute % HEAVY_HITTERS_MINUTES]);
    }
    return sum;
}

size_t heavy_hitters_list(const struct heavy_hitters *table, int64_t minute,
                          struct heavy_hitter_total *out)
{
    size_t used = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct heavy_hitter *entry = &table->entries[i];
        struct hits hits = minute < 0 ? entry->day : sum_minutes(entry, minute);
        if (hits.messages == 0)
            continue;
        memcpy(out[used].key, entry->key, sizeof entry->key);
        out[used++].hits = hits;
    }
    return used;
}

static int compare(const void *left, const void *right)
{
    const struct heavy_hitter_total *a = left;
    const struct heavy_hitter_total *b = right;
    int order = (b->hits.copies > a->hits.copies) - (b->hits.copies < a->hits.copies);
    return order != 0 ? order : strcmp(a->key, b->key);
}

void heavy_hitters_sort(struct heavy_hitter_total *totals, size_t count)
{
    if (count > 1)
        qsort(totals, count, sizeof *totals, compare);
}
