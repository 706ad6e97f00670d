/* Optimistic like all of the ledger: read, change, write if nobody else did. */
#include "quarantine/ledger_notices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/ledger_parts.h"

static const char note_id[] = "notices";

struct listing {
    struct ledger_place place;
    enum status (*each)(void *context, const struct ledger_place *place,
                        const json_t *incident);
    void *context;
};

static enum status look_at(void *context, const char *id, const char *value)
{
    struct listing *listing = context;
    json_t *record = record_load(value);
    enum status status = STATUS_OK;
    (void)snprintf(listing->place.id, sizeof listing->place.id, "%s", id);
    if (record_text(record, "id")[0] != '\0')
        status = listing->each(listing->context, &listing->place, record);
    json_decref(record);
    return status;
}

enum status ledger_each_incident(struct ledger *ledger, bool over, int64_t deadline_us,
                                 enum status (*each)(void *context,
                                                     const struct ledger_place *place,
                                                     const json_t *incident),
                                 void *context)
{
    struct listing listing = {
        .place = {.collection = COLLECTION_OPEN}, .each = each, .context = context};
    enum status status =
        store_list(ledger->store, COLLECTION_OPEN, deadline_us, look_at, &listing);
    if (status != STATUS_OK || !over)
        return status;
    listing.place.collection = COLLECTION_INCIDENTS;
    return store_list(ledger->store, COLLECTION_INCIDENTS, deadline_us, look_at,
                      &listing);
}

/* Where it was found, or, since it is over by now, under its own id. */
static enum status read_again(struct ledger *ledger, const struct ledger_place *place,
                              const char *incident, int64_t deadline_us,
                              struct ledger_document *out)
{
    struct ledger_document document = {0};
    enum status status =
        ledger_read(ledger, place->collection, place->id, deadline_us, &document);
    if (status == STATUS_OK &&
        strcmp(record_text(document.record, "id"), incident) != 0) {
        ledger_document_clear(&document);
        status =
            ledger_read(ledger, COLLECTION_INCIDENTS, incident, deadline_us, &document);
        if (status == STATUS_OK && document.record == NULL)
            status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK)
        *out = document;
    else
        ledger_document_clear(&document);
    return status;
}

static enum status write_back(struct ledger *ledger,
                              const struct ledger_document *document, int64_t deadline_us)
{
    char *value = record_dump(document->record);
    struct change change = {.collection = document->collection,
                            .id = document->id,
                            .check = true,
                            .expected = document->text,
                            .value = value};
    enum status status = value == NULL
                             ? STATUS_NOMEM
                             : store_change(ledger->store, &change, 1, deadline_us);
    free(value);
    return status;
}

enum status ledger_change_incident(struct ledger *ledger,
                                   const struct ledger_place *place, const char *incident,
                                   bool (*change)(void *context, json_t *incident),
                                   void *context, int64_t deadline_us, json_t **out)
{
    enum status status;
    bool lost = false;
    do {
        struct ledger_document document = {0};
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status = read_again(ledger, place, incident, deadline_us, &document);
        lost = status == STATUS_OK && !change(context, document.record);
        if (status == STATUS_OK && !lost)
            status = write_back(ledger, &document, deadline_us);
        if (status == STATUS_OK && !lost && out != NULL)
            *out = json_incref(document.record);
        ledger_document_clear(&document);
    } while (status == STATUS_CONFLICT && !lost);
    return lost ? STATUS_CONFLICT : status;
}

static enum status read_note(struct ledger *ledger, int64_t deadline_us,
                             struct ledger_document *out)
{
    enum status status = ledger_read(ledger, COLLECTION_META, note_id, deadline_us, out);
    if (status == STATUS_OK && out->record == NULL) {
        out->record = json_object();
        status = out->record == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    return status;
}

enum status ledger_change_note(struct ledger *ledger,
                               bool (*change)(void *context, json_t *note), void *context,
                               int64_t deadline_us)
{
    enum status status;
    bool lost = false;
    do {
        struct ledger_document document = {0};
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status = read_note(ledger, deadline_us, &document);
        lost = status == STATUS_OK && !change(context, document.record);
        if (status == STATUS_OK && !lost)
            status = write_back(ledger, &document, deadline_us);
        ledger_document_clear(&document);
    } while (status == STATUS_CONFLICT && !lost);
    return lost ? STATUS_CONFLICT : status;
}

enum status ledger_read_note(struct ledger *ledger, int64_t deadline_us, json_t **out)
{
    struct ledger_document document = {0};
    enum status status = read_note(ledger, deadline_us, &document);
    if (status == STATUS_OK)
        *out = json_incref(document.record);
    ledger_document_clear(&document);
    return status;
}
