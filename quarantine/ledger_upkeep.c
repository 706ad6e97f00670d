/* Work on all records: forgetting what is over, oldest first, and converting what older
 * versions wrote. Many changes go to the store in one call. What is done is out of the
 * way, so a pass that ends early is continued by the next. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/ledger_list.h"
#include "quarantine/ledger_parts.h"
#include "quarantine/terms.h"

enum { ENDED_MAX = 10000 };

/* ---- many changes at once ---- */

/* What is to be written: all groups together, and one by one when one of them fails. */
struct batch {
    struct ledger *ledger;
    int64_t deadline_us;
    struct change changes[DOCUMENTS_CHANGES_MAX];
    size_t count;
    size_t ends[DOCUMENTS_CHANGES_MAX]; /* of changes that belong together, how far */
    size_t groups;
    size_t done; /* groups that were written */
};

static char *copy(const char *text, bool *failed)
{
    char *copied = text == NULL ? NULL : strdup(text);
    *failed = *failed || (text != NULL && copied == NULL);
    return copied;
}

static void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        free((char *)(uintptr_t)batch->changes[i].id);
        free((char *)(uintptr_t)batch->changes[i].expected);
        free((char *)(uintptr_t)batch->changes[i].value);
    }
    batch->count = batch->groups = 0;
}

/* Writes what was added. Where something was changed meanwhile (CONFLICT), or finds no
 * room, that group is left out. */
static enum status batch_write(struct batch *batch)
{
    struct store *store = batch->ledger->store;
    enum status status =
        store_change(store, batch->changes, batch->count, batch->deadline_us);
    size_t start = 0;
    if (status == STATUS_OK)
        batch->done += batch->groups;
    bool apart = status == STATUS_CONFLICT || status == STATUS_LIMIT;
    for (size_t i = 0; i < batch->groups && apart; i++) {
        status = store_change(store, batch->changes + start, batch->ends[i] - start,
                              batch->deadline_us);
        start = batch->ends[i];
        batch->done += status == STATUS_OK;
        apart =
            status == STATUS_OK || status == STATUS_CONFLICT || status == STATUS_LIMIT;
        if (apart)
            status = STATUS_OK;
    }
    batch_clear(batch);
    return status;
}

/* Adds changes that belong together; copies their texts. Writes when there is no room for
 * more. */
static enum status batch_add(struct batch *batch, const struct change *changes,
                             size_t count)
{
    bool failed = false;
    enum status status = STATUS_OK;
    if (batch->count + count > DOCUMENTS_CHANGES_MAX)
        status = batch_write(batch);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct change change = changes[i];
        change.id = copy(change.id, &failed);
        change.expected = copy(change.expected, &failed);
        change.value = copy(change.value, &failed);
        batch->changes[batch->count++] = change;
    }
    if (status == STATUS_OK && failed)
        return STATUS_NOMEM;
    if (status == STATUS_OK)
        batch->ends[batch->groups++] = batch->count;
    return status;
}

/* ---- forgetting ---- */

struct prune {
    struct ledger *ledger;
    struct batch batch;
    enum collection collection;
    size_t left; /* how many may be forgotten */
};

/* An open incident that lapsed: what comes next is another one. */
static enum status close_lapsed(void *context, const char *entry, const char *text,
                                const json_t *record)
{
    struct prune *prune = context;
    json_t *closed = json_deep_copy(record);
    char *value = closed != NULL && record_close(closed)
                      ? terms_document(prune->collection, closed)
                      : NULL;
    const struct change change = {.collection = prune->collection,
                                  .id = scan_id(entry),
                                  .check = true,
                                  .expected = text,
                                  .value = value};
    enum status status =
        value == NULL ? STATUS_NOMEM : batch_add(&prune->batch, &change, 1);
    free(value);
    json_decref(closed);
    return status;
}

static enum status forget(void *context, const char *entry, const char *text,
                          const json_t *record)
{
    struct prune *prune = context;
    const struct change change = {.collection = prune->collection,
                                  .id = scan_id(entry),
                                  .check = true,
                                  .expected = text};
    (void)record;
    if (prune->left == 0)
        return STATUS_NOT_FOUND;
    prune->left--;
    return batch_add(&prune->batch, &change, 1);
}

static enum status run(struct prune *prune, struct scan *scan, ledger_each *each)
{
    enum status status =
        ledger_scan(prune->ledger, scan, prune->batch.deadline_us, each, prune);
    enum status written = batch_write(&prune->batch);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = written;
    return status;
}

/* Forgets what has that term and is from before before_ms, and the oldest where there are
 * more than max records of the kind that counted is for. */
static enum status forget_all(struct prune *prune, enum collection collection,
                              const char *term, const char *counted, int64_t before_ms,
                              size_t max)
{
    char until[TERMS_SIZE];
    struct scan scan;
    size_t count = 0;
    prune->collection = collection;
    prune->left = SIZE_MAX;
    terms_until(term, before_ms, until);
    scan_set(&scan, collection, term, until);
    enum status status = run(prune, &scan, forget);
    scan_set(&scan, collection, counted, NULL);
    if (status == STATUS_OK)
        status =
            scan_count(prune->ledger->store, &scan, prune->batch.deadline_us, &count);
    if (status != STATUS_OK || count <= max)
        return status;
    prune->left = count - max;
    scan_set(&scan, collection, term, NULL);
    return run(prune, &scan, forget);
}

static enum status close_all(struct prune *prune, enum collection collection,
                             int64_t now_ms)
{
    char until[TERMS_SIZE];
    struct scan scan;
    prune->collection = collection;
    terms_until(TERMS_OPEN, now_ms - INCIDENT_GAP_MS + 1, until);
    scan_set(&scan, collection, TERMS_OPEN, until);
    return run(prune, &scan, close_lapsed);
}

enum status ledger_prune(struct ledger *ledger, int64_t now_ms, int64_t retention_ms,
                         int64_t deadline_us, size_t *out_done)
{
    struct prune *prune = calloc(1, sizeof *prune);
    if (prune == NULL)
        return STATUS_NOMEM;
    prune->ledger = prune->batch.ledger = ledger;
    prune->batch.deadline_us = deadline_us;
    enum status status = close_all(prune, COLLECTION_INCIDENTS, now_ms);
    if (status == STATUS_OK)
        status = close_all(prune, COLLECTION_WOULD, now_ms);
    if (status == STATUS_OK)
        status = forget_all(prune, COLLECTION_WOULD, TERMS_OVER, TERMS_ALL,
                            now_ms - retention_ms, INCIDENTS_MAX);
    if (status == STATUS_OK)
        status = forget_all(prune, COLLECTION_HOLDS, TERMS_ENDED, TERMS_ENDED,
                            now_ms - retention_ms, ENDED_MAX);
    if (status == STATUS_OK)
        status = forget_all(prune, COLLECTION_INCIDENTS, TERMS_OVER, TERMS_ALL,
                            now_ms - retention_ms, INCIDENTS_MAX);
    *out_done = prune->batch.done;
    batch_clear(&prune->batch);
    free(prune);
    return status == STATUS_UNAVAILABLE && clock_left_ms(deadline_us) == 0 ? STATUS_LIMIT
                                                                           : status;
}

/* ---- records of older versions ---- */

/* In an order in which what a hold points to is there before it, and which of two
 * documents of one id counts: the first. */
static const enum collection old_collections[] = {
    COLLECTION_OLD_OPEN, COLLECTION_OLD_INCIDENTS, COLLECTION_OLD_ENDED,
    COLLECTION_OLD_HOLDS};
enum { OLD_COLLECTIONS = sizeof old_collections / sizeof *old_collections };

struct conversion {
    struct batch batch;
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
                                   : batch_add(&conversion->batch, changes, 2);
    free(document);
    json_decref(record);
    return status;
}

static enum status convert_all(struct conversion *conversion)
{
    struct batch *batch = &conversion->batch;
    struct store *store = batch->ledger->store;
    size_t count = 0;
    enum status status = store_count(store, conversion->from, batch->deadline_us, &count);
    conversion->alone = false;
    for (int i = 0; i < 2 && status == STATUS_OK && count > 0; i++) {
        status =
            store_list(store, conversion->from, batch->deadline_us, convert, conversion);
        if (status == STATUS_OK)
            status = batch_write(batch);
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
    batch_clear(&conversion->batch);
    free(conversion);
    return status == STATUS_UNAVAILABLE && clock_left_ms(deadline_us) == 0 ? STATUS_LIMIT
                                                                           : status;
}
