/* Collections are read one after the other without a lock, in the order in which
 * documents move, so what moves meanwhile is seen twice rather than not at all; then the
 * later place counts. A parsed record is twenty times its text, so only one is there at a
 * time. */
#include "quarantine/ledger_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "quarantine/ledger_parts.h"

struct item {
    int64_t at_ms;
    char id[DIGEST_ID_SIZE]; /* the record's own */
    uint8_t place;           /* which of the list's collections */
    bool open;               /* an incident that is */
    char *document;          /* the document's id, when that is another; else NULL */
    char *text;              /* NULL: to be read again */
};

struct ledger_list {
    struct ledger *ledger;
    enum collection collections[2];
    bool keeps; /* texts */
    int64_t now_ms;
    uint8_t place; /* while it is gathered */
    struct item *items;
    size_t count, next, damaged;
    size_t bytes; /* of texts */
};

/* Of all lists of this process. */
static atomic_size_t bytes_kept;

static void forget_text(struct ledger_list *list, struct item *item)
{
    if (item->text != NULL) {
        size_t length = strlen(item->text);
        list->bytes -= length;
        atomic_fetch_sub(&bytes_kept, length);
    }
    free(item->text);
    item->text = NULL;
}

/* False without memory; no room is no failure. */
static bool keep_text(struct ledger_list *list, struct item *item, const char *text)
{
    size_t length = strlen(text);
    if (!list->keeps)
        return true;
    if (atomic_fetch_add(&bytes_kept, length) + length > LEDGER_LIST_BYTES_MAX) {
        atomic_fetch_sub(&bytes_kept, length);
        return true;
    }
    list->bytes += length;
    item->text = strdup(text);
    if (item->text == NULL) {
        list->bytes -= length;
        atomic_fetch_sub(&bytes_kept, length);
    }
    return item->text != NULL;
}

static int64_t sort_time(const json_t *record)
{
    bool hold = json_object_get(record, "held_at") != NULL;
    return record_number(record, hold ? "held_at" : "last_at");
}

static struct item *reserve(struct ledger_list *list)
{
    return array_reserve(&list->items, list->count, sizeof *list->items)
               ? &list->items[list->count]
               : NULL;
}

static enum status gather(void *context, const char *id, const char *value)
{
    struct ledger_list *list = context;
    json_t *record = record_load(value);
    const char *name = record_text(record, "id");
    enum status status = STATUS_OK;
    if (name[0] == '\0' || strlen(name) >= DIGEST_ID_SIZE) {
        list->damaged++;
    } else {
        struct item *item = reserve(list);
        bool done = item != NULL;
        if (done) {
            *item = (struct item){.at_ms = sort_time(record),
                                  .place = list->place,
                                  .open = record_is_open(record, list->now_ms)};
            memcpy(item->id, name, strlen(name) + 1);
            item->document = strcmp(name, id) == 0 ? NULL : strdup(id);
            done = (strcmp(name, id) == 0 || item->document != NULL) &&
                   keep_text(list, item, value);
            list->count++;
        }
        status = done ? STATUS_OK : STATUS_NOMEM;
    }
    json_decref(record);
    return status;
}

static int compare_ids(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    int order = strcmp(a->id, b->id);
    return order != 0 ? order : b->place - a->place;
}

static int compare_times(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return strcmp(a->id, b->id);
}

/* Each record once, by time. */
static void sort(struct ledger_list *list)
{
    size_t kept = 0;
    if (list->count == 0)
        return;
    qsort(list->items, list->count, sizeof *list->items, compare_ids);
    for (size_t i = 0; i < list->count; i++) {
        struct item *item = &list->items[i];
        if (kept > 0 && strcmp(list->items[kept - 1].id, item->id) == 0) {
            forget_text(list, item);
            free(item->document);
        } else {
            list->items[kept++] = *item;
        }
    }
    list->count = kept;
    qsort(list->items, kept, sizeof *list->items, compare_times);
}

static enum status make(struct ledger *ledger, const enum collection *collections,
                        uint8_t count, bool keeps, int64_t deadline_us,
                        struct ledger_list **out)
{
    enum status status = STATUS_OK;
    struct ledger_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return STATUS_NOMEM;
    list->ledger = ledger;
    list->keeps = keeps;
    list->now_ms = clock_wall_ms();
    for (list->place = 0; list->place < count && status == STATUS_OK; list->place++) {
        list->collections[list->place] = collections[list->place];
        status = store_list(ledger->store, collections[list->place], deadline_us, gather,
                            list);
    }
    if (status != STATUS_OK) {
        ledger_list_free(list);
        return status;
    }
    sort(list);
    *out = list;
    return STATUS_OK;
}

static const enum collection hold_places[] = {COLLECTION_HOLDS, COLLECTION_ENDED};
static const enum collection incident_places[] = {COLLECTION_OPEN, COLLECTION_INCIDENTS};

enum status ledger_list_holds(struct ledger *ledger, bool all, int64_t deadline_us,
                              struct ledger_list **out)
{
    return make(ledger, hold_places, all ? 2 : 1, true, deadline_us, out);
}

enum status ledger_list_incidents(struct ledger *ledger, int64_t deadline_us,
                                  struct ledger_list **out)
{
    return make(ledger, incident_places, 2, true, deadline_us, out);
}

void ledger_list_free(struct ledger_list *list)
{
    if (list == NULL)
        return;
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].text);
        free(list->items[i].document);
    }
    atomic_fetch_sub(&bytes_kept, list->bytes);
    free(list->items);
    free(list);
}

/* The record of an item, as it was or as it is; NULL when it is gone. */
static enum status load(struct ledger_list *list, struct item *item, int64_t deadline_us,
                        json_t **out)
{
    struct ledger_document document = {0};
    if (item->text != NULL) {
        *out = record_load(item->text);
        return *out == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    const char *id = item->document == NULL ? item->id : item->document;
    enum status status = ledger_read(list->ledger, list->collections[item->place], id,
                                     deadline_us, &document);
    if (status == STATUS_OK && strcmp(record_text(document.record, "id"), item->id) == 0)
        *out = json_incref(document.record);
    ledger_document_clear(&document);
    return status;
}

enum status ledger_list_next(struct ledger_list *list, int64_t deadline_us, json_t **out)
{
    while (list->next < list->count) {
        struct item *item = &list->items[list->next++];
        json_t *record = NULL;
        enum status status = load(list, item, deadline_us, &record);
        forget_text(list, item);
        if (status != STATUS_OK)
            return status;
        if (record == NULL)
            continue;
        bool incident = list->collections[0] == COLLECTION_OPEN;
        if ((incident &&
             json_object_set_new(record, "open", json_boolean(item->open)) != 0) ||
            !record_show(record)) {
            json_decref(record);
            return STATUS_NOMEM;
        }
        *out = record;
        return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

enum status ledger_list_count(struct ledger *ledger, int64_t deadline_us,
                              struct ledger_numbers *out)
{
    struct ledger_list *holds = NULL;
    struct ledger_list *incidents = NULL;
    struct ledger_numbers numbers = {0};
    enum status status = make(ledger, hold_places, 1, false, deadline_us, &holds);
    if (status == STATUS_OK)
        status = make(ledger, incident_places, 2, false, deadline_us, &incidents);
    if (status == STATUS_OK) {
        numbers.holds = holds->count;
        numbers.incidents = incidents->count;
        numbers.damaged = holds->damaged + incidents->damaged;
        for (size_t i = 0; i < incidents->count; i++)
            numbers.incidents_open += incidents->items[i].open;
        *out = numbers;
    }
    ledger_list_free(incidents);
    ledger_list_free(holds);
    return status;
}
