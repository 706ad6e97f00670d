/* A flood of new keys pushes out its own: what is heavy gives its place away only once it
 * is light by now, or nothing else is there. */
#include "store/epoch/seen_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS = 1 << 17 };

enum status seen_table_init(struct seen_table *table)
{
    *table = (struct seen_table){
        .entries = calloc(LAST_SEEN_MAX, sizeof *table->entries),
        .heads = malloc(HEADS * sizeof *table->heads),
        .heavy = {SEEN_NONE, SEEN_NONE},
        .light = {SEEN_NONE, SEEN_NONE},
    };
    if (table->entries == NULL || table->heads == NULL) {
        seen_table_clear(table);
        return STATUS_NOMEM;
    }
    memset(table->heads, 0xff, HEADS * sizeof *table->heads);
    return STATUS_OK;
}

void seen_table_clear(struct seen_table *table)
{
    for (uint32_t i = 0; i < table->used; i++) {
        free(table->entries[i].window);
        free(table->entries[i].clients);
    }
    free(table->entries);
    free(table->heads);
    *table = (struct seen_table){0};
}

/* A name ends with a keyed hash of its subject. */
static uint32_t *head_of(const struct seen_table *table, const char *name)
{
    uint64_t first = 0;
    uint64_t last = 0;
    size_t length = strlen(name);
    memcpy(&first, name, length < sizeof first ? length : sizeof first);
    if (length > sizeof last)
        memcpy(&last, name + length - sizeof last, sizeof last);
    uint64_t mixed = (first * 3 + last) * UINT64_C(0x9e3779b97f4a7c15);
    return &table->heads[(mixed >> 40) % HEADS];
}

struct seen_entry *seen_table_find(const struct seen_table *table, const char *name)
{
    uint32_t i = *head_of(table, name);
    while (i != SEEN_NONE && strcmp(table->entries[i].name, name) != 0)
        i = table->entries[i].next;
    return i == SEEN_NONE ? NULL : &table->entries[i];
}

static struct seen_list *list_of(struct seen_table *table, const struct seen_entry *entry)
{
    return entry->heavy ? &table->heavy : &table->light;
}

static void unlist(struct seen_table *table, struct seen_entry *entry)
{
    struct seen_list *list = list_of(table, entry);
    *(entry->newer == SEEN_NONE ? &list->newest : &table->entries[entry->newer].older) =
        entry->older;
    *(entry->older == SEEN_NONE ? &list->oldest : &table->entries[entry->older].newer) =
        entry->newer;
}

static void list_newest(struct seen_table *table, struct seen_entry *entry)
{
    struct seen_list *list = list_of(table, entry);
    uint32_t i = (uint32_t)(entry - table->entries);
    entry->newer = SEEN_NONE;
    entry->older = list->newest;
    *(list->newest == SEEN_NONE ? &list->oldest : &table->entries[list->newest].newer) =
        i;
    list->newest = i;
}

void seen_table_empty(struct seen_table *table, struct seen_entry *entry)
{
    uint32_t *at = head_of(table, entry->name);
    while (*at != (uint32_t)(entry - table->entries))
        at = &table->entries[*at].next;
    *at = entry->next;
    table->owed -= entry->debt > 0;
    free(entry->window);
    free(entry->clients);
    *entry = (struct seen_entry){
        .newer = entry->newer, .older = entry->older, .heavy = entry->heavy};
}

struct bucket seen_entry_bucket(const struct seen_entry *entry)
{
    return (struct bucket){entry->level, entry->rest, entry->stamp_ms};
}

static bool is_heavy_window(const struct seen_window *seen, int64_t now_ms)
{
    struct window window = seen->window;
    window_roll(&window, &seen->surge, now_ms);
    return window.past_count > 0 || window.copies * 2 > seen->surge.floor;
}

static bool is_heavy(const struct seen_entry *entry, int64_t now_ms)
{
    const struct rate rate = {entry->tokens, entry->period_ms, entry->burst};
    if (entry->name[0] == '\0')
        return false;
    if (entry->debt > 0 || entry->latch_end_ms > now_ms)
        return true;
    if (entry->is_window)
        return is_heavy_window(entry->window, now_ms);
    if (entry->has_clients)
        return now_ms - entry->stamp_ms < entry->period_ms;
    struct bucket bucket = seen_entry_bucket(entry);
    bucket_refill(&bucket, &rate, now_ms);
    return bucket.level * 2 < rate.burst;
}

void seen_table_renew(struct seen_table *table, struct seen_entry *entry, int64_t now_ms)
{
    unlist(table, entry);
    entry->heavy = is_heavy(entry, now_ms);
    list_newest(table, entry);
}

/* An entry for another key, out of its list. */
static struct seen_entry *take_oldest(struct seen_table *table, int64_t now_ms)
{
    struct seen_entry *entry =
        table->heavy.oldest == SEEN_NONE ? NULL : &table->entries[table->heavy.oldest];
    if (entry == NULL || (table->light.oldest != SEEN_NONE && is_heavy(entry, now_ms)))
        entry = &table->entries[table->light.oldest];
    if (entry->name[0] != '\0')
        seen_table_empty(table, entry);
    unlist(table, entry);
    return entry;
}

struct seen_entry *seen_table_add(struct seen_table *table, const char *name,
                                  const struct limiter_request *request, int64_t now_ms)
{
    struct seen_window *window = NULL;
    if (request->is_window && (window = malloc(sizeof *window)) == NULL)
        return NULL;
    struct seen_entry *entry = table->used < LAST_SEEN_MAX
                                   ? &table->entries[table->used++]
                                   : take_oldest(table, now_ms);
    uint32_t *head = head_of(table, name);
    *entry = (struct seen_entry){.is_window = request->is_window,
                                 .has_clients = request->has_clients,
                                 .window = window,
                                 .next = *head};
    if (window != NULL)
        *window = (struct seen_window){.surge = request->surge};
    (void)snprintf(entry->name, sizeof entry->name, "%s", name);
    *head = (uint32_t)(entry - table->entries);
    list_newest(table, entry);
    return entry;
}
