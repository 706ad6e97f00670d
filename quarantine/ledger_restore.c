/* Records of held mail from the queue alone, when the store lost them. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "policy/message.h"
#include "quarantine/hold_header.h"
#include "quarantine/ledger_parts.h"

struct restoration {
    struct ledger *ledger;
    const struct orphan *orphan;
    struct hold_header header;
    char identity[SUBJECT_SIZE];
    struct party party; /* the client is not known any more */
    struct event event; /* the message, as far as it is still known */
    int64_t deadline_us;
};

/* A hold that is recorded as over, or as another message, though this queue has it: the
 * queue is right, unless it was listed before the hold ended. */
static enum status revive(const struct restoration *restoration,
                          struct ledger_document *hold)
{
    struct ledger *ledger = restoration->ledger;
    struct ledger_document incident = {0};
    const struct ledger_document *const both[] = {hold, &incident};
    const char *state = record_text(hold->record, "state");
    int64_t ended_ms = record_number(hold->record, "ended_at");
    bool same = strcmp(record_text(hold->record, "queue_id"),
                       restoration->orphan->queue_id) == 0 &&
                strcmp(record_text(hold->record, "host"), ledger->host) == 0;
    if (record_is_over(state) && strcmp(state, "gone") != 0 &&
        ended_ms >= restoration->orphan->listed_ms)
        return STATUS_OK;
    if (!record_is_over(state) && (same || strcmp(state, "held") != 0))
        return STATUS_OK;
    enum status status = STATUS_OK;
    if (record_is_over(state))
        status = ledger_read_incident_of(ledger, hold->record, restoration->deadline_us,
                                         &incident);
    if (status == STATUS_OK &&
        (!ledger_change_state(hold->record, incident.record, "held") ||
         json_object_set_new(hold->record, "host", record_string(ledger->host)) != 0 ||
         json_object_set_new(hold->record, "queue_id",
                             record_string(restoration->orphan->queue_id)) != 0))
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        status = ledger_write(ledger, both, 2, restoration->deadline_us);
    ledger_document_clear(&incident);
    return status;
}

/* The incident as it is to become: grown by one hold, or made anew from what is known. */
static enum status grow_incident(const struct restoration *restoration,
                                 struct ledger_document *incident)
{
    const struct hold_header *header = &restoration->header;
    const struct stop stop = {.event = &restoration->event,
                              .party = restoration->party.own,
                              .host = restoration->ledger->host,
                              .held = 1,
                              .first_ms = restoration->event.now_ms};
    enum status status =
        ledger_read(restoration->ledger, COLLECTION_INCIDENTS, header->incident,
                    restoration->deadline_us, incident);
    if (status != STATUS_OK)
        return status;
    if (incident->record != NULL)
        return record_grow(incident->record, &stop) ? STATUS_OK : STATUS_NOMEM;
    incident->record = record_new_incident(header->incident, &stop);
    return incident->record != NULL && record_close(incident->record) ? STATUS_OK
                                                                      : STATUS_NOMEM;
}

static json_t *make_hold(const struct restoration *restoration)
{
    json_t *hold = record_new_hold(&restoration->event, restoration->header.id,
                                   restoration->header.incident,
                                   restoration->ledger->host, &restoration->party);
    if (hold != NULL && json_object_set_new(hold, "restored", json_true()) == 0)
        return hold;
    json_decref(hold);
    return NULL;
}

static enum status enter(const struct restoration *restoration)
{
    struct ledger_document incident = {0};
    struct ledger_document hold = ledger_new_document(
        COLLECTION_HOLDS, restoration->header.id, make_hold(restoration));
    const struct ledger_document *const both[] = {&hold, &incident};
    enum status status = hold.record == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK && strcmp(restoration->header.incident, "-") != 0)
        status = grow_incident(restoration, &incident);
    if (status == STATUS_OK)
        status = ledger_write(restoration->ledger, both, 2, restoration->deadline_us);
    ledger_document_clear(&hold);
    ledger_document_clear(&incident);
    return status;
}

/* Do not trust the sender unless the hold header vouches for it. */
static void make_event(struct restoration *restoration)
{
    const struct orphan *orphan = restoration->orphan;
    const struct hold_header *header = &restoration->header;
    char *identity = restoration->identity;
    bool tell = !orphan->recalled &&
                hold_header_vouches(&restoration->ledger->key, header, orphan->sender,
                                    identity, sizeof restoration->identity);
    if (!tell)
        (void)snprintf(identity, sizeof restoration->identity, "%s%s",
                       orphan->sender[0] == '\0' ? "-" : "sender:", orphan->sender);
    party_make(&restoration->ledger->key, identity, "", tell, &restoration->party);
    restoration->event =
        (struct event){.rule = header->rule,
                       .fingerprint = "",
                       .subject = orphan->recalled ? identity : "",
                       .identity = identity,
                       .sender = orphan->sender,
                       .before = -1,
                       .tell = tell,
                       .reach = orphan->recalled ? EVENT_REACH_UNKNOWN : header->reach,
                       .recalled = orphan->recalled,
                       .arrived_s = orphan->arrived_ms / 1000,
                       .queue_id = orphan->queue_id,
                       .now_ms = orphan->arrived_ms};
}

enum status ledger_restore(struct ledger *ledger, const struct orphan *orphan,
                           int64_t deadline_us)
{
    struct restoration restoration = {
        .ledger = ledger, .orphan = orphan, .deadline_us = deadline_us};
    enum status status = hold_header_parse(orphan->header, &restoration.header);
    if (status != STATUS_OK)
        return status;
    make_event(&restoration);
    do {
        struct ledger_document hold = {0};
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status = ledger_read_sound(ledger, COLLECTION_HOLDS, restoration.header.id,
                                   deadline_us, &hold);
        if (status == STATUS_OK)
            status = revive(&restoration, &hold);
        else if (status == STATUS_NOT_FOUND)
            status = enter(&restoration);
        ledger_document_clear(&hold);
    } while (status == STATUS_CONFLICT);
    if (status == STATUS_OK)
        atomic_fetch_add(&ledger->late, 1);
    return status;
}
