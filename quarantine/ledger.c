/* Records by their ids, as the store keeps them. Nothing is locked while the store is
 * asked: a change is made only if what was
 * read has not changed meanwhile; otherwise it is read again. */
#include "quarantine/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/ledger_parts.h"
#include "quarantine/terms.h"

struct ledger *ledger_new(struct store *store, const struct digest_key *key,
                          const char *host)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL)
        return NULL;
    ledger->counts = pending_counts_new(key);
    ledger->pending_holds = pending_holds_new();
    ledger->parties = parties_new();
    ledger->look = look_new();
    if (ledger->counts == NULL || ledger->pending_holds == NULL ||
        ledger->parties == NULL || ledger->look == NULL) {
        ledger_free(ledger);
        return NULL;
    }
    ledger->store = store;
    ledger->key = *key;
    (void)snprintf(ledger->host, sizeof ledger->host, "%s", host);
    atomic_init(&ledger->has_room, true);
    atomic_init(&ledger->held, 0);
    atomic_init(&ledger->added, 0);
    atomic_init(&ledger->unrecorded, false);
    atomic_init(&ledger->asks, false);
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    pending_counts_free(ledger->counts);
    pending_holds_free(ledger->pending_holds);
    parties_free(ledger->parties);
    look_free(ledger->look);
    free(ledger);
}

struct look *ledger_look(struct ledger *ledger)
{
    return ledger->look;
}

const struct digest_key *ledger_key(const struct ledger *ledger)
{
    return &ledger->key;
}

size_t ledger_late(struct ledger *ledger)
{
    return atomic_load(&ledger->late);
}

bool ledger_take_asking(struct ledger *ledger)
{
    return atomic_exchange(&ledger->asks, false);
}

bool ledger_take_unrecorded(struct ledger *ledger)
{
    return atomic_exchange(&ledger->unrecorded, false);
}

/* ---- reading ---- */

void ledger_document_clear(struct ledger_document *document)
{
    json_decref(document->record);
    free(document->text);
    *document = (struct ledger_document){0};
}

struct ledger_document ledger_new_document(enum collection collection, const char *id,
                                           json_t *record)
{
    struct ledger_document document = {.collection = collection, .record = record};
    (void)snprintf(document.id, sizeof document.id, "%s", id);
    return document;
}

enum status ledger_read(struct ledger *ledger, enum collection collection, const char *id,
                        int64_t deadline_us, struct ledger_document *out)
{
    char *text = NULL;
    enum status status = store_get(ledger->store, collection, id, deadline_us, &text);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    *out = ledger_new_document(collection, id, text == NULL ? NULL : record_load(text));
    out->text = text;
    return STATUS_OK;
}

enum status ledger_read_sound(struct ledger *ledger, enum collection collection,
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

static enum status take_open(void *context, const char *entry, const char *value)
{
    struct ledger_document *out = context;
    *out = ledger_new_document(COLLECTION_INCIDENTS, scan_id(entry), record_load(value));
    out->text = strdup(value);
    return out->text == NULL ? STATUS_NOMEM : STATUS_CONFLICT; /* one is enough */
}

enum status ledger_read_open(struct ledger *ledger, enum collection collection,
                             const char *open_key, int64_t deadline_us,
                             struct ledger_document *out)
{
    char term[TERMS_SIZE];
    struct scan scan;
    struct ledger_document found = {0};
    terms_of_key(open_key, term);
    scan_set(&scan, collection, term, NULL);
    enum status status = scan_page(ledger->store, &scan, deadline_us, take_open, &found);
    found.collection = collection;
    if (status != STATUS_OK && status != STATUS_CONFLICT) {
        ledger_document_clear(&found);
        return status;
    }
    *out = found;
    return STATUS_OK;
}

/* Records that come in the order in which they were asked for. */
struct found {
    const char *const *ids;
    size_t next;
    json_t **out;
};

static enum status take_found(void *context, const char *id, const char *value)
{
    struct found *found = context;
    json_t *record = record_load(value);
    while (strcmp(found->ids[found->next], id) != 0)
        found->next++;
    if (record != NULL && !record_show(record)) {
        json_decref(record);
        return STATUS_NOMEM;
    }
    found->out[found->next++] = record;
    return STATUS_OK;
}

enum status ledger_find_holds(struct ledger *ledger, const char *const *ids, size_t count,
                              int64_t deadline_us, json_t **out)
{
    enum status status = STATUS_OK;
    memset(out, 0, count * sizeof *out);
    for (size_t at = 0; at < count && status == STATUS_OK; at += DOCUMENTS_GET_MAX) {
        size_t some = count - at < DOCUMENTS_GET_MAX ? count - at : DOCUMENTS_GET_MAX;
        struct found found = {.ids = ids + at, .out = out + at};
        status = store_get_many(ledger->store, COLLECTION_HOLDS, ids + at, some,
                                deadline_us, take_found, &found);
    }
    for (size_t i = 0; i < count && status != STATUS_OK; i++)
        json_decref(out[i]);
    return status;
}

/* False without memory. */
static bool settle_open(json_t *incident)
{
    bool open = record_is_open(incident, clock_wall_ms());
    return json_object_set_new(incident, "open", json_boolean(open)) == 0;
}

static enum status find(struct ledger *ledger, enum collection collection, const char *id,
                        int64_t deadline_us, json_t **out)
{
    struct ledger_document document = {0};
    enum status status =
        ledger_read_sound(ledger, collection, id, deadline_us, &document);
    if (status == STATUS_OK &&
        ((collection != COLLECTION_HOLDS && !settle_open(document.record)) ||
         !record_show(document.record)))
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        *out = json_incref(document.record);
    ledger_document_clear(&document);
    return status;
}

enum status ledger_find_hold(struct ledger *ledger, const char *id, int64_t deadline_us,
                             json_t **out)
{
    return find(ledger, COLLECTION_HOLDS, id, deadline_us, out);
}

enum status ledger_find_incident(struct ledger *ledger, const char *id,
                                 int64_t deadline_us, json_t **out)
{
    enum status status = find(ledger, COLLECTION_INCIDENTS, id, deadline_us, out);
    return status == STATUS_NOT_FOUND
               ? find(ledger, COLLECTION_WOULD, id, deadline_us, out)
               : status;
}

/* ---- writing ---- */

enum status ledger_write(struct ledger *ledger,
                         const struct ledger_document *const *documents, size_t count,
                         int64_t deadline_us)
{
    size_t used = 0;
    enum status status = STATUS_OK;
    struct change *changes = calloc(count, sizeof *changes);
    if (changes == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct ledger_document *document = documents[i];
        if (document->record == NULL)
            continue;
        char *value = terms_document(document->collection, document->record);
        if (value == NULL)
            status = STATUS_NOMEM;
        changes[used++] = (struct change){.collection = document->collection,
                                          .id = document->id,
                                          .check = true,
                                          .expected = document->text,
                                          .value = value};
    }
    if (status == STATUS_OK)
        status = store_change(ledger->store, changes, used, deadline_us);
    for (size_t i = 0; i < used; i++)
        free((char *)(uintptr_t)changes[i].value);
    free(changes);
    return status;
}

enum status ledger_take_key(struct ledger_document *open, const char *open_key,
                            struct ledger_document *fresh)
{
    if (json_object_set_new(fresh->record, "open_key", record_string(open_key)) != 0)
        return STATUS_NOMEM;
    return open->record == NULL || record_close(open->record) ? STATUS_OK : STATUS_NOMEM;
}

enum status ledger_add_stop(struct ledger_document *open, const char *open_key,
                            const struct stop *stop, struct ledger_document *fresh,
                            char incident[DIGEST_ID_SIZE])
{
    if (open->record != NULL && record_is_open(open->record, stop->first_ms)) {
        (void)snprintf(incident, DIGEST_ID_SIZE, "%s", record_text(open->record, "id"));
        return record_grow(open->record, stop) ? STATUS_OK : STATUS_NOMEM;
    }
    digest_random_id(incident);
    *fresh =
        ledger_new_document(stop->event->would ? COLLECTION_WOULD : COLLECTION_INCIDENTS,
                            incident, record_new_incident(incident, stop));
    return fresh->record == NULL ? STATUS_NOMEM : ledger_take_key(open, open_key, fresh);
}
