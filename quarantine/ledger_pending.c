/* Writing down what was held while the store was away. The incident has its id already:
 * it stands in the messages' headers, and in the replies to those that were refused. */
#include "base/clock.h"
#include "quarantine/ledger_parts.h"

/* The incident is not in the store yet. It gets its key unless another incident, which is
 * open, has it by now; then both are open, and what comes next is that other's. */
static enum status make_incident(const struct pending_hold *pending,
                                 struct ledger_document *open,
                                 struct ledger_document *incident)
{
    incident->record = json_deep_copy(pending->alone);
    if (incident->record == NULL)
        return STATUS_NOMEM;
    if (open->record != NULL &&
        record_is_open(open->record, record_number(pending->alone, "last_at")))
        return STATUS_OK;
    return ledger_take_key(open, pending->open_key, incident);
}

/* One that lapsed elsewhere while we went on is open for notices still. */
static enum status grow_incident(const struct pending_hold *pending,
                                 struct ledger_document *incident)
{
    bool grown = record_merge(incident->record, pending->alone) &&
                 json_object_set_new(incident->record, "open", json_true()) == 0;
    return grown ? STATUS_OK : STATUS_NOMEM;
}

/* One attempt, when the hold is not there yet. */
static enum status write_pending(struct ledger *ledger,
                                 const struct pending_hold *pending, int64_t deadline_us)
{
    struct ledger_document open = {0}, incident = {0};
    struct ledger_document hold =
        ledger_new_document(COLLECTION_HOLDS, pending->id, json_incref(pending->hold));
    const struct ledger_document *const all[] = {&hold, &incident, &open};
    enum status status = ledger_read(ledger, COLLECTION_INCIDENTS, pending->incident,
                                     deadline_us, &incident);
    if (status == STATUS_OK && incident.record == NULL) {
        status = ledger_read_open(ledger, pending->open_key, deadline_us, &open);
        if (status == STATUS_OK)
            status = make_incident(pending, &open, &incident);
    } else if (status == STATUS_OK) {
        status = grow_incident(pending, &incident);
    }
    if (status == STATUS_OK)
        status = ledger_write(ledger, all, 3, deadline_us);
    ledger_document_clear(&open);
    ledger_document_clear(&incident);
    ledger_document_clear(&hold);
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
        status =
            ledger_read_sound(ledger, COLLECTION_HOLDS, pending->id, deadline_us, &hold);
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
