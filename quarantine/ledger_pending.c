/* Writing down what was held while the store was away. The incident has its id already:
 * it stands in the messages' headers, and in the replies to those that were refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/ledger_parts.h"

/* Where a pending hold's incident is, or is to be: found->record is the incident as it
 * becomes. Of the key's own place another may have taken possession; then both are open,
 * and what comes next is that other's. */
static enum status place_pending(struct ledger *ledger,
                                 const struct pending_hold *pending,
                                 struct ledger_document *open, int64_t deadline_us,
                                 struct ledger_document *found)
{
    if (strcmp(record_text(open->record, "id"), pending->incident) == 0) {
        *found = *open;
        *open = (struct ledger_document){0};
        return STATUS_OK;
    }
    enum status status =
        ledger_read(ledger, COLLECTION_INCIDENTS, pending->incident, deadline_us, found);
    if (status != STATUS_OK || found->record != NULL)
        return status;
    if (open->record == NULL ||
        !record_is_open(open->record, record_number(pending->alone, "last_at"))) {
        (void)snprintf(found->id, sizeof found->id, "%s", pending->open_id);
        found->collection = COLLECTION_OPEN;
        free(found->text);
        found->text = open->text == NULL ? NULL : strdup(open->text);
        if (open->text != NULL && found->text == NULL)
            return STATUS_NOMEM;
    }
    return STATUS_OK;
}

/* Grows the incident that was found, or makes it. */
static enum status grow_pending(const struct pending_hold *pending,
                                struct ledger_document *found)
{
    if (found->record == NULL)
        found->record = json_deep_copy(pending->alone);
    else if (!record_merge(found->record, pending->alone))
        return STATUS_NOMEM;
    /* One that lapsed elsewhere while we went on is open for notices still. */
    if (found->collection == COLLECTION_INCIDENTS &&
        json_object_set_new(found->record, "open", json_true()) != 0)
        return STATUS_NOMEM;
    return found->record == NULL ? STATUS_NOMEM : STATUS_OK;
}

/* One attempt, when the hold is not there yet. */
static enum status write_pending(struct ledger *ledger,
                                 const struct pending_hold *pending, int64_t deadline_us)
{
    struct ledger_document open = {0};
    struct ledger_document found = {0};
    struct ledger_entries entries = {0};
    enum status status =
        ledger_read(ledger, COLLECTION_OPEN, pending->open_id, deadline_us, &open);
    if (status == STATUS_OK)
        status = place_pending(ledger, pending, &open, deadline_us, &found);
    bool fresh = status == STATUS_OK && found.record == NULL;
    if (status == STATUS_OK)
        status = grow_pending(pending, &found);
    if (status == STATUS_OK)
        status = ledger_entries_add(&entries, found.collection, found.id, found.text,
                                    found.record);
    if (status == STATUS_OK && fresh && found.collection == COLLECTION_OPEN)
        status = ledger_entries_close(&entries, &open);
    if (status == STATUS_OK)
        status = ledger_entries_add(&entries, COLLECTION_HOLDS, pending->id, NULL,
                                    pending->hold);
    if (status == STATUS_OK)
        status = store_change(ledger->store, entries.changes, entries.count, deadline_us);
    ledger_entries_clear(&entries);
    ledger_document_clear(&open);
    ledger_document_clear(&found);
    return status;
}

/* It may be there: the store wrote it down and its answer was lost, or it was restored
 * from the queue. */
static enum status record_pending(struct ledger *ledger,
                                  const struct pending_hold *pending, int64_t deadline_us)
{
    enum status status = STATUS_CONFLICT;
    while (status == STATUS_CONFLICT) {
        struct ledger_document hold = {0};
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status = ledger_read_hold(ledger, pending->id, deadline_us, &hold);
        ledger_document_clear(&hold);
        if (status == STATUS_NOT_FOUND)
            status = write_pending(ledger, pending, deadline_us);
    }
    return status;
}

enum status ledger_flush_pending(struct ledger *ledger, int64_t deadline_us)
{
    enum status result = STATUS_OK;
    struct pending_hold *pending;
    while ((pending = pending_holds_take(ledger->pending_holds)) != NULL) {
        enum status status = record_pending(ledger, pending, deadline_us);
        if (status != STATUS_OK)
            result = status;
        /* LIMIT: there is no room for a record; the queue knows of the hold. */
        if (status != STATUS_OK && status != STATUS_LIMIT) {
            pending_holds_return(ledger->pending_holds, pending);
            return result;
        }
        pending_hold_free(pending);
    }
    return result;
}
