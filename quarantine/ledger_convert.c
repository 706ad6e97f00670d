/* Records of versions that had a collection for each state, which documents moved
 * through. Each is moved, once; what an older version that still runs puts there is moved
 * again. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/ledger_batch.h"
#include "quarantine/terms.h"

/* In an order in which what a hold points to is there before it, and which of two
 * documents of one id counts: the first. */
static const enum collection old_collections[] = {
    COLLECTION_OLD_OPEN, COLLECTION_OLD_INCIDENTS, COLLECTION_OLD_ENDED,
    COLLECTION_OLD_HOLDS};
enum { OLD_COLLECTIONS = sizeof old_collections / sizeof *old_collections };

struct conversion {
    struct ledger_batch batch;
    enum collection from, to;
    bool alone; /* what was left out: one by one */
};

static char *make_document(const struct conversion *conversion, const char *id,
                           json_t *record)
{
    (void)json_object_del(record, "in");
    if (conversion->from == COLLECTION_OLD_OPEN && !conversion->alone &&
        json_object_set_new(record, "open_key", record_string(id)) != 0)
        return NULL;
    return terms_document(conversion->to, record);
}

/* For one that did not go in with others: its key is another's by now, or there is such a
 * record already, which then counts. */
static enum status move_alone(const struct conversion *conversion,
                              const struct change changes[2])
{
    struct store *store = conversion->batch.ledger->store;
    enum status status = store_change(store, changes, 2, conversion->batch.deadline_us);
    if (status == STATUS_CONFLICT)
        status = store_change(store, changes, 1, conversion->batch.deadline_us);
    return status == STATUS_CONFLICT || status == STATUS_LIMIT ? STATUS_OK : status;
}

/* What is damaged stays where it is. */
static enum status convert(void *context, const char *id, const char *value)
{
    struct conversion *conversion = context;
    json_t *record = record_load(value);
    const char *own_id = record_text(record, "id");
    enum status status = STATUS_OK;
    if (strlen(own_id) != DIGEST_ID_SIZE - 1 || strchr(own_id, ' ') != NULL) {
        json_decref(record);
        return STATUS_OK;
    }
    char *document = make_document(conversion, id, record);
    const struct change changes[] = {
        {.collection = conversion->from, .id = id, .check = true, .expected = value},
        {.collection = conversion->to, .id = own_id, .check = true, .value = document},
    };
    if (document == NULL)
        status = STATUS_NOMEM;
    else
        status = conversion->alone ? move_alone(conversion, changes)
                                   : ledger_batch_add(&conversion->batch, changes, 2);
    free(document);
    json_decref(record);
    return status;
}

static enum status convert_all(struct conversion *conversion)
{
    struct ledger_batch *batch = &conversion->batch;
    struct store *store = batch->ledger->store;
    size_t count = 0;
    enum status status = store_count(store, conversion->from, batch->deadline_us, &count);
    conversion->alone = false;
    for (int i = 0; i < 2 && status == STATUS_OK && count > 0; i++) {
        status =
            store_list(store, conversion->from, batch->deadline_us, convert, conversion);
        if (status == STATUS_OK)
            status = ledger_batch_write(batch);
        if (status == STATUS_OK)
            status = store_count(store, conversion->from, batch->deadline_us, &count);
        conversion->alone = true;
    }
    return status;
}

enum status ledger_convert(struct ledger *ledger, int64_t deadline_us)
{
    enum status status = STATUS_OK;
    struct conversion *conversion = calloc(1, sizeof *conversion);
    if (conversion == NULL)
        return STATUS_NOMEM;
    conversion->batch.ledger = ledger;
    conversion->batch.deadline_us = deadline_us;
    for (size_t i = 0; i < OLD_COLLECTIONS && status == STATUS_OK; i++) {
        conversion->from = old_collections[i];
        conversion->to = i < 2 ? COLLECTION_INCIDENTS : COLLECTION_HOLDS;
        status = convert_all(conversion);
    }
    ledger_batch_clear(&conversion->batch);
    free(conversion);
    return status == STATUS_UNAVAILABLE && clock_left_ms(deadline_us) == 0 ? STATUS_LIMIT
                                                                           : status;
}
