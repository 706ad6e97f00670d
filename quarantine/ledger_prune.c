/* Forgetting what is over, oldest first. What is done is out of the way, so a pass that
 * ends early is gone on with by the next. */
#include <stdlib.h>

#include "base/clock.h"
#include "quarantine/ledger_batch.h"
#include "quarantine/ledger_list.h"
#include "quarantine/terms.h"

enum { ENDED_MAX = 10000 };

struct prune {
    struct ledger *ledger;
    struct ledger_batch batch;
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
                      ? terms_document(COLLECTION_INCIDENTS, closed)
                      : NULL;
    const struct change change = {.collection = COLLECTION_INCIDENTS,
                                  .id = scan_id(entry),
                                  .check = true,
                                  .expected = text,
                                  .value = value};
    enum status status =
        value == NULL ? STATUS_NOMEM : ledger_batch_add(&prune->batch, &change, 1);
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
    return ledger_batch_add(&prune->batch, &change, 1);
}

static enum status run(struct prune *prune, struct scan *scan,
                       enum status (*each)(void *context, const char *entry,
                                           const char *text, const json_t *record))
{
    enum status status =
        ledger_scan(prune->ledger, scan, prune->batch.deadline_us, each, prune);
    enum status written = ledger_batch_write(&prune->batch);
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

enum status ledger_prune(struct ledger *ledger, int64_t now_ms, int64_t retention_ms,
                         int64_t deadline_us, size_t *out_done)
{
    char until[TERMS_SIZE];
    struct scan scan;
    struct prune *prune = calloc(1, sizeof *prune);
    if (prune == NULL)
        return STATUS_NOMEM;
    prune->ledger = prune->batch.ledger = ledger;
    prune->batch.deadline_us = deadline_us;
    terms_until(TERMS_OPEN, now_ms - INCIDENT_GAP_MS + 1, until);
    scan_set(&scan, COLLECTION_INCIDENTS, TERMS_OPEN, until);
    enum status status = run(prune, &scan, close_lapsed);
    if (status == STATUS_OK)
        status = forget_all(prune, COLLECTION_HOLDS, TERMS_ENDED, TERMS_ENDED,
                            now_ms - retention_ms, ENDED_MAX);
    if (status == STATUS_OK)
        status = forget_all(prune, COLLECTION_INCIDENTS, TERMS_OVER, TERMS_ALL,
                            now_ms - retention_ms, INCIDENTS_MAX);
    *out_done = prune->batch.done;
    ledger_batch_clear(&prune->batch);
    free(prune);
    return status == STATUS_UNAVAILABLE && clock_left_ms(deadline_us) == 0 ? STATUS_LIMIT
                                                                           : status;
}
