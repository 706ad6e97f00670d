/* Optimistic like all of the ledger: read, change, write if nobody else did. */
#include "quarantine/ledger_incident.h"

#include "base/clock.h"
#include "quarantine/ledger_parts.h"

static const char note_id[] = "notices";

/* Reads an incident; or the note, which may be empty. */
static enum status read_record(struct ledger *ledger, enum collection collection,
                               const char *id, int64_t deadline_us,
                               struct ledger_document *out)
{
    if (collection != COLLECTION_META)
        return ledger_read_sound(ledger, collection, id, deadline_us, out);
    enum status status = ledger_read(ledger, collection, id, deadline_us, out);
    if (status == STATUS_OK && out->record == NULL) {
        out->record = json_object();
        status = out->record == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    return status;
}

static enum status change_record(struct ledger *ledger, enum collection collection,
                                 const char *id, ledger_change *change, void *context,
                                 int64_t deadline_us, json_t **out)
{
    enum status status;
    bool done = false;
    do {
        struct ledger_document document = {0};
        const struct ledger_document *const one[] = {&document};
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status = read_record(ledger, collection, id, deadline_us, &document);
        done = status == STATUS_OK && !change(context, document.record);
        if (status == STATUS_OK)
            status = done ? STATUS_CONFLICT : ledger_write(ledger, one, 1, deadline_us);
        if (status == STATUS_OK && out != NULL)
            *out = json_incref(document.record);
        ledger_document_clear(&document);
    } while (status == STATUS_CONFLICT && !done);
    return status;
}

enum status ledger_change_incident(struct ledger *ledger, const char *id,
                                   ledger_change *change, void *context,
                                   int64_t deadline_us, json_t **out)
{
    return change_record(ledger, COLLECTION_INCIDENTS, id, change, context, deadline_us,
                         out);
}

enum status ledger_change_hold(struct ledger *ledger, const char *id,
                               ledger_change *change, void *context, int64_t deadline_us,
                               json_t **out)
{
    return change_record(ledger, COLLECTION_HOLDS, id, change, context, deadline_us, out);
}

static bool close_it(void *context, json_t *incident)
{
    (void)context;
    return record_close(incident);
}

enum status ledger_close_incident(struct ledger *ledger, const char *id,
                                  int64_t deadline_us)
{
    enum status status =
        ledger_change_incident(ledger, id, close_it, NULL, deadline_us, NULL);
    if (status == STATUS_NOT_FOUND)
        status = change_record(ledger, COLLECTION_WOULD, id, close_it, NULL, deadline_us,
                               NULL);
    if (status == STATUS_OK)
        pending_holds_close(ledger->pending_holds, id);
    return status == STATUS_CONFLICT ? STATUS_NOMEM : status;
}

enum status ledger_change_note(struct ledger *ledger, ledger_change *change,
                               void *context, int64_t deadline_us)
{
    return change_record(ledger, COLLECTION_META, note_id, change, context, deadline_us,
                         NULL);
}

enum status ledger_read_note(struct ledger *ledger, int64_t deadline_us, json_t **out)
{
    struct ledger_document document = {0};
    enum status status =
        read_record(ledger, COLLECTION_META, note_id, deadline_us, &document);
    if (status == STATUS_OK)
        *out = json_incref(document.record);
    ledger_document_clear(&document);
    return status;
}
