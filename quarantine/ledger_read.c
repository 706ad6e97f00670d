/* Looking at the ledger, and forgetting what is over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "quarantine/ledger_list.h"
#include "quarantine/ledger_parts.h"

enum { ENDED_MAX = 10000, EXPIRY_CANDIDATES_MAX = 2 * DOCUMENTS_MAX };

void ledger_document_clear(struct ledger_document *document)
{
    json_decref(document->record);
    free(document->text);
    *document = (struct ledger_document){0};
}

enum status ledger_read(struct ledger *ledger, enum collection collection, const char *id,
                        int64_t deadline_us, struct ledger_document *out)
{
    char *text = NULL;
    enum status status = store_get(ledger->store, collection, id, deadline_us, &text);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    *out = (struct ledger_document){.collection = collection, .text = text};
    (void)snprintf(out->id, sizeof out->id, "%s", id);
    out->record = text == NULL ? NULL : record_load(text);
    return STATUS_OK;
}

/* One that is there and sound; NOT_FOUND. */
static enum status read_sound(struct ledger *ledger, enum collection collection,
                              const char *id, int64_t deadline_us,
                              struct ledger_document *out)
{
    struct ledger_document document = {0};
    enum status status = ledger_read(ledger, collection, id, deadline_us, &document);
    if (status == STATUS_OK && document.record == NULL)
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        *out = document;
    else
        ledger_document_clear(&document);
    return status;
}

struct search {
    const char *incident;
    char open_id[DOCUMENTS_ID_MAX + 1]; /* "": not found */
};

static enum status look_at_open(void *context, const char *id, const char *value)
{
    struct search *search = context;
    if (strstr(value, search->incident) == NULL)
        return STATUS_OK;
    json_t *record = record_load(value);
    if (strcmp(record_text(record, "id"), search->incident) == 0)
        (void)snprintf(search->open_id, sizeof search->open_id, "%s", id);
    json_decref(record);
    return STATUS_OK;
}

static enum status read_open_incident(struct ledger *ledger, const char *id,
                                      int64_t deadline_us, struct ledger_document *out)
{
    struct search search = {.incident = id};
    struct ledger_document document = {0};
    enum status status =
        store_list(ledger->store, COLLECTION_OPEN, deadline_us, look_at_open, &search);
    if (status != STATUS_OK)
        return status;
    if (search.open_id[0] == '\0')
        return STATUS_NOT_FOUND;
    status = read_sound(ledger, COLLECTION_OPEN, search.open_id, deadline_us, &document);
    if (status == STATUS_OK && strcmp(record_text(document.record, "id"), id) != 0)
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        *out = document;
    else
        ledger_document_clear(&document);
    return status;
}

enum status ledger_read_incident(struct ledger *ledger, const char *id,
                                 int64_t deadline_us, struct ledger_document *out)
{
    if (id[0] == '\0')
        return STATUS_NOT_FOUND;
    enum status status = read_open_incident(ledger, id, deadline_us, out);
    if (status == STATUS_NOT_FOUND)
        status = read_sound(ledger, COLLECTION_INCIDENTS, id, deadline_us, out);
    return status;
}

enum status ledger_read_hold(struct ledger *ledger, const char *id, int64_t deadline_us,
                             struct ledger_document *out)
{
    enum status status = read_sound(ledger, COLLECTION_HOLDS, id, deadline_us, out);
    if (status == STATUS_NOT_FOUND)
        status = read_sound(ledger, COLLECTION_ENDED, id, deadline_us, out);
    if (status == STATUS_NOT_FOUND) /* it may have come back in between */
        status = read_sound(ledger, COLLECTION_HOLDS, id, deadline_us, out);
    return status;
}

/* ---- lists ---- */

/* False without memory. */
static bool settle_open(json_t *incident)
{
    bool open = record_is_open(incident, clock_wall_ms());
    return json_object_set_new(incident, "open", json_boolean(open)) == 0;
}

enum status ledger_find_hold(struct ledger *ledger, const char *id, int64_t deadline_us,
                             json_t **out)
{
    struct ledger_document hold = {0};
    enum status status = ledger_read_hold(ledger, id, deadline_us, &hold);
    if (status == STATUS_OK && !record_show(hold.record))
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        *out = json_incref(hold.record);
    ledger_document_clear(&hold);
    return status;
}

enum status ledger_find_incident(struct ledger *ledger, const char *id,
                                 int64_t deadline_us, json_t **out)
{
    struct ledger_document incident = {0};
    enum status status = ledger_read_incident(ledger, id, deadline_us, &incident);
    if (status == STATUS_OK &&
        (!settle_open(incident.record) || !record_show(incident.record)))
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        *out = json_incref(incident.record);
    ledger_document_clear(&incident);
    return status;
}

/* ---- forgetting ---- */

struct pruning {
    struct ledger *ledger;
    int64_t now_ms, deadline_us;
};

/* An open incident that lapsed, or was closed, goes to the others. */
static enum status close_lapsed(void *context, const char *id, const char *value)
{
    const struct pruning *pruning = context;
    enum status status = STATUS_OK;
    json_t *record = record_load(value);
    if (record == NULL || record_text(record, "id")[0] == '\0' ||
        record_is_open(record, pruning->now_ms)) {
        json_decref(record);
        return STATUS_OK;
    }
    char *closed = json_object_set_new(record, "open", json_false()) == 0
                       ? record_dump(record)
                       : NULL;
    const struct change changes[] = {
        {.collection = COLLECTION_OPEN, .id = id, .check = true, .expected = value},
        {.collection = COLLECTION_INCIDENTS,
         .id = record_text(record, "id"),
         .value = closed},
    };
    status = closed == NULL
                 ? STATUS_NOMEM
                 : store_change(pruning->ledger->store, changes, 2, pruning->deadline_us);
    free(closed);
    json_decref(record);
    /* CONFLICT: it has just grown. LIMIT: it must wait for room. */
    return status == STATUS_CONFLICT || status == STATUS_LIMIT ? STATUS_OK : status;
}

/* What a collection holds, with the time that counts for each. */
struct expiry_candidate {
    char id[DIGEST_ID_SIZE];
    int64_t at_ms;
};

struct expiry_candidates {
    struct expiry_candidate *items;
    size_t count;
    const char *time;   /* the field */
    const json_t *kept; /* ids that stay, or NULL */
};

static enum status gather_candidate(void *context, const char *id, const char *value)
{
    struct expiry_candidates *candidates = context;
    json_t *record = record_load(value);
    int64_t at_ms = record_number(record, candidates->time);
    json_decref(record);
    if (strlen(id) >= DIGEST_ID_SIZE || candidates->count == EXPIRY_CANDIDATES_MAX ||
        json_object_get(candidates->kept, id) != NULL)
        return STATUS_OK;
    if (!array_reserve(&candidates->items, candidates->count, sizeof *candidates->items))
        return STATUS_NOMEM;
    struct expiry_candidate *candidate = &candidates->items[candidates->count++];
    candidate->at_ms = at_ms;
    (void)snprintf(candidate->id, sizeof candidate->id, "%s", id);
    return STATUS_OK;
}

static int compare_candidate(const void *left, const void *right)
{
    const struct expiry_candidate *a = left;
    const struct expiry_candidate *b = right;
    return a->at_ms < b->at_ms ? -1 : a->at_ms > b->at_ms;
}

/* Deletes what was before before_ms, and the oldest of more than max. */
static enum status forget(const struct pruning *pruning, enum collection collection,
                          struct expiry_candidates *candidates, int64_t before_ms,
                          size_t max)
{
    struct store *store = pruning->ledger->store;
    enum status status =
        store_list(store, collection, pruning->deadline_us, gather_candidate, candidates);
    if (candidates->count > 0)
        qsort(candidates->items, candidates->count, sizeof *candidates->items,
              compare_candidate);
    for (size_t i = 0; i < candidates->count && status == STATUS_OK; i++) {
        if (candidates->items[i].at_ms >= before_ms && candidates->count - i <= max)
            break;
        const struct change change = {.collection = collection,
                                      .id = candidates->items[i].id};
        status = store_change(store, &change, 1, pruning->deadline_us);
    }
    free(candidates->items);
    return status;
}

/* Notes the incident of a hold. */
static enum status spare(void *context, const char *id, const char *value)
{
    json_t *kept = context;
    json_t *record = record_load(value);
    const char *incident = record_text(record, "incident");
    int failed = 0;
    (void)id;
    if (incident[0] != '\0')
        failed = json_object_set_new(kept, incident, json_true());
    json_decref(record);
    return failed == 0 ? STATUS_OK : STATUS_NOMEM;
}

enum status ledger_prune(struct ledger *ledger, int64_t now_ms, int64_t retention_ms,
                         int64_t deadline_us)
{
    struct pruning pruning = {ledger, now_ms, deadline_us};
    json_t *kept = json_object();
    struct expiry_candidates ended = {.time = "ended_at"};
    struct expiry_candidates incidents = {.time = "last_at", .kept = kept};
    if (kept == NULL)
        return STATUS_NOMEM;
    enum status status =
        store_list(ledger->store, COLLECTION_OPEN, deadline_us, close_lapsed, &pruning);
    if (status == STATUS_OK)
        status = store_list(ledger->store, COLLECTION_HOLDS, deadline_us, spare, kept);
    if (status == STATUS_OK)
        status =
            forget(&pruning, COLLECTION_ENDED, &ended, now_ms - retention_ms, ENDED_MAX);
    if (status == STATUS_OK)
        status = forget(&pruning, COLLECTION_INCIDENTS, &incidents, now_ms - retention_ms,
                        INCIDENTS_MAX);
    json_decref(kept);
    return status;
}
