/* A hash table of fixed size, under a lock that is held briefly: a message adds two
 * entries at most, and no configuration makes the table grow. */
#include "base/counters.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { SLOTS = 2048 }; /* a power of two, well above COUNTERS_MAX */

_Static_assert(SLOTS > COUNTERS_MAX + 64, "a search always meets a free slot");

struct counters {
    pthread_mutex_t mutex;
    struct counter items[COUNTERS_MAX];
    size_t count;
    uint16_t slots[SLOTS]; /* index of the item + 1; 0: free */
    struct histogram reach, took_us;
};

static const struct histogram reach_bounds = {.bounds = {1, 10, 100, 1000, 10000, 100000},
                                              .bound_count = 6};
static const struct histogram took_bounds = {
    .bounds = {100, 500, 1000, 5000, 20000, 100000, 1000000}, .bound_count = 7};

struct counters *counters_new(void)
{
    struct counters *counters = calloc(1, sizeof *counters);
    if (counters == NULL)
        return NULL;
    if (pthread_mutex_init(&counters->mutex, NULL) != 0) {
        free(counters);
        return NULL;
    }
    counters->reach = reach_bounds;
    counters->took_us = took_bounds;
    return counters;
}

void counters_free(struct counters *counters)
{
    if (counters == NULL)
        return;
    (void)pthread_mutex_destroy(&counters->mutex);
    free(counters);
}

/* FNV-1a: the names come from the configuration, so nobody provokes collisions. */
static uint32_t hash(const struct counter *name)
{
    uint32_t value = 2166136261U;
    for (const char *c = name->rule; *c != '\0'; c++)
        value = (value ^ (unsigned char)*c) * 16777619U;
    for (const char *c = name->verdict; *c != '\0'; c++)
        value = (value ^ (unsigned char)*c) * 16777619U;
    return (value ^ name->would) * 16777619U;
}

static bool same(const struct counter *a, const struct counter *b)
{
    return a->would == b->would && strcmp(a->rule, b->rule) == 0 &&
           strcmp(a->verdict, b->verdict) == 0;
}

/* Under the lock. NULL when there is no room for a new name. */
static struct counter *find(struct counters *counters, const struct counter *name,
                            size_t limit)
{
    size_t slot = hash(name) % SLOTS;
    for (; counters->slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        struct counter *item = &counters->items[counters->slots[slot] - 1];
        if (same(item, name))
            return item;
    }
    if (counters->count >= limit)
        return NULL;
    struct counter *item = &counters->items[counters->count++];
    *item = *name;
    counters->slots[slot] = (uint16_t)counters->count;
    return item;
}

/* Under the lock. The last places are kept for the names that begin with "other". */
static void count(struct counters *counters, struct counter *name)
{
    struct counter *item = find(counters, name, COUNTERS_MAX - 16);
    if (item == NULL) {
        text_join(name->rule, sizeof name->rule, "other", "");
        item = find(counters, name, COUNTERS_MAX);
    }
    if (item != NULL)
        item->count++;
}

static void observe(struct histogram *histogram, int64_t value)
{
    size_t i = 0;
    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    histogram->counts[i]++;
    histogram->sum += value > 0 ? (uint64_t)value : 0;
}

/* Counts each "RULE:VERDICT" of a comma-separated list. */
static void count_would(struct counters *counters, const char *list)
{
    while (*list != '\0') {
        struct counter would = {.would = true};
        size_t length = strcspn(list, ",");
        size_t rule = strcspn(list, ":,");
        if (rule < length) {
            (void)snprintf(would.rule, sizeof would.rule, "%.*s", (int)rule, list);
            (void)snprintf(would.verdict, sizeof would.verdict, "%.*s",
                           (int)(length - rule - 1), list + rule + 1);
            count(counters, &would);
        }
        list += length + (list[length] == ',');
    }
}

void counters_add(struct counters *counters, const struct counted_decision *counted)
{
    struct counter was = {0};
    text_join(was.rule, sizeof was.rule, counted->rule, "");
    text_join(was.verdict, sizeof was.verdict, counted->verdict, "");
    (void)pthread_mutex_lock(&counters->mutex);
    count(counters, &was);
    count_would(counters, counted->would);
    observe(&counters->reach, counted->reach);
    observe(&counters->took_us, counted->took_us);
    (void)pthread_mutex_unlock(&counters->mutex);
}

enum status counters_read(struct counters *counters, struct counters_totals *out)
{
    struct counter *items = calloc(COUNTERS_MAX, sizeof *items);
    if (items == NULL)
        return STATUS_NOMEM;
    (void)pthread_mutex_lock(&counters->mutex);
    *out = (struct counters_totals){.items = items,
                                    .count = counters->count,
                                    .reach = counters->reach,
                                    .took_us = counters->took_us};
    memcpy(items, counters->items, counters->count * sizeof *items);
    (void)pthread_mutex_unlock(&counters->mutex);
    return STATUS_OK;
}

void counters_clear(struct counters_totals *totals)
{
    free(totals->items);
    *totals = (struct counters_totals){0};
}
