/* An array by id. Recalled messages are few, and looked up from end to end. */
#include "quarantine/local_holds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"
#include "quarantine/terms.h"

static enum status add(void *context, const char *entry, const char *text,
                       const json_t *record)
{
    struct local_holds *holds = context;
    (void)entry;
    (void)text;
    if (!array_reserve(&holds->items, holds->count, sizeof *holds->items))
        return STATUS_NOMEM;
    struct local_hold *hold = &holds->items[holds->count++];
    *hold =
        (struct local_hold){.held_ms = record_number(record, "held_at"),
                            .recalled = json_is_true(json_object_get(record, "pulled"))};
    (void)snprintf(hold->id, sizeof hold->id, "%s", record_text(record, "id"));
    (void)snprintf(hold->queue_id, sizeof hold->queue_id, "%s",
                   record_text(record, "queue_id"));
    (void)snprintf(hold->state, sizeof hold->state, "%s", record_text(record, "state"));
    return STATUS_OK;
}

static int compare(const void *left, const void *right)
{
    const struct local_hold *a = left;
    const struct local_hold *b = right;
    return strcmp(a->id, b->id);
}

enum status local_holds_read(struct ledger *ledger, const char *host, int64_t deadline_us,
                             struct local_holds *out)
{
    char term[TERMS_SIZE];
    struct scan scan;
    struct local_holds holds = {0};
    terms_of_host(host, term);
    scan_set(&scan, COLLECTION_HOLDS, term, NULL);
    enum status status = ledger_scan(ledger, &scan, deadline_us, add, &holds);
    if (status != STATUS_OK) {
        local_holds_clear(&holds);
        return status;
    }
    if (holds.count > 0)
        qsort(holds.items, holds.count, sizeof *holds.items, compare);
    *out = holds;
    return STATUS_OK;
}

struct local_hold *local_holds_find(const struct local_holds *holds, const char *id)
{
    struct local_hold wanted = {.held_ms = 0};
    if (holds->count == 0 || strlen(id) >= sizeof wanted.id)
        return NULL;
    (void)snprintf(wanted.id, sizeof wanted.id, "%s", id);
    return bsearch(&wanted, holds->items, holds->count, sizeof wanted, compare);
}

struct local_hold *local_holds_find_recalled(const struct local_holds *holds,
                                             const char *queue_id)
{
    for (size_t i = 0; i < holds->count; i++)
        if (holds->items[i].recalled && strcmp(holds->items[i].queue_id, queue_id) == 0)
            return &holds->items[i];
    return NULL;
}

void local_holds_clear(struct local_holds *holds)
{
    free(holds->items);
    *holds = (struct local_holds){0};
}
