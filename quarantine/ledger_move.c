/* What becomes of a hold, and of its incident. Each change checks the documents that it
 * was worked out from, so of two who move the same hold one is told that it was too late.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/message.h"
#include "quarantine/hold_header.h"
#include "quarantine/ledger_parts.h"

/* How old the list of the queue may be that ledger_restore is told from. */
enum { RESTORE_LATE_MS = 60000 };

/* What a document becomes where it is, which is checked; or a copy of it elsewhere. */
static struct change make_change(const struct ledger_document *document,
                                 enum collection collection, const char *value)
{
    return (struct change){.collection = collection,
                           .id = document->id,
                           .check = collection == document->collection,
                           .expected = document->text,
                           .value = value};
}

static bool is_end(const char *state)
{
    static const char *const ends[] = {"released", "refused", "deleted", "gone"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (strcmp(state, ends[i]) == 0)
            return true;
    }
    return false;
}

/* A hold's incident: where it says that it is, or wherever it went. One that is not there
 * any more is OK without text. */
static enum status read_incident_of(struct ledger *ledger, const json_t *hold,
                                    int64_t deadline_us, struct ledger_document *out)
{
    const char *id = record_text(hold, "incident");
    const char *open_id = record_text(hold, "in");
    struct ledger_document open = {0};
    if (open_id[0] != '\0') {
        enum status status =
            ledger_read(ledger, COLLECTION_OPEN, open_id, deadline_us, &open);
        if (status != STATUS_OK)
            return status;
        if (open.record != NULL && strcmp(record_text(open.record, "id"), id) == 0) {
            *out = open;
            return STATUS_OK;
        }
        ledger_document_clear(&open);
    }
    return ledger_read(ledger, COLLECTION_INCIDENTS, id[0] == '\0' ? "-" : id,
                       deadline_us, out);
}

static bool set_state(json_t *hold, const char *state)
{
    if (json_object_set_new(hold, "state", json_string(state)) != 0)
        return false;
    if (!is_end(state)) {
        (void)json_object_del(hold, "ended_at");
        return true;
    }
    return json_object_set_new(hold, "ended_at", json_integer(clock_wall_ms())) == 0;
}

/* Writes a hold, in its new state, and its incident if that was touched: incident->record
 * is what it becomes; without one it stays. */
static enum status write_both(struct ledger *ledger, const struct ledger_document *hold,
                              const struct ledger_document *incident, int64_t deadline_us)
{
    bool ends = is_end(record_text(hold->record, "state"));
    enum collection collection = ends ? COLLECTION_ENDED : COLLECTION_HOLDS;
    char *held = record_dump(hold->record);
    char *grown = incident->record == NULL ? NULL : record_dump(incident->record);
    struct change changes[3];
    size_t count = 0;
    enum status status = STATUS_NOMEM;
    changes[count++] = make_change(hold, collection, held);
    if (hold->text != NULL && hold->collection != collection)
        changes[count++] = make_change(hold, hold->collection, NULL);
    if (grown != NULL)
        changes[count++] = make_change(incident, incident->collection, grown);
    if (held != NULL && (grown != NULL || incident->record == NULL))
        status = store_change(ledger->store, changes, count, deadline_us);
    free(held);
    free(grown);
    return status;
}

static bool add(json_t *incident, const char *name, int more)
{
    int64_t number = record_number(incident, name) + more;
    return json_object_set_new(incident, name, json_integer(number < 0 ? 0 : number)) ==
           0;
}

/* An incident knows how many of its holds are over, and how many were released. What is
 * held again waits again. Without a record in *out the move changes no incident. */
static enum status count_move(struct ledger *ledger, const json_t *hold, const char *to,
                              int64_t deadline_us, struct ledger_document *out)
{
    const char *from = record_text(hold, "state");
    bool ends = is_end(to);
    if (ends == is_end(from))
        return STATUS_OK;
    enum status status = read_incident_of(ledger, hold, deadline_us, out);
    if (status != STATUS_OK || out->record == NULL)
        return status;
    int more = ends ? 1 : -1;
    bool released = strcmp(ends ? to : from, "released") == 0;
    struct party party;
    record_party(hold, &party);
    return add(out->record, "ended", more) &&
                   (!released || add(out->record, "released", more)) &&
                   record_add_party(out->record, party.own, -more)
               ? STATUS_OK
               : STATUS_NOMEM;
}

/* One attempt. INVALID: the hold is in another state, for good. */
static enum status try_move(struct ledger *ledger, const char *id, const char *from,
                            const char *to, int64_t deadline_us)
{
    struct ledger_document hold = {0};
    struct ledger_document incident = {0};
    enum status status = ledger_read_hold(ledger, id, deadline_us, &hold);
    if (status == STATUS_OK && strcmp(record_text(hold.record, "state"), from) != 0)
        status = STATUS_INVALID;
    if (status == STATUS_OK)
        status = count_move(ledger, hold.record, to, deadline_us, &incident);
    if (status == STATUS_OK && !set_state(hold.record, to))
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        status = write_both(ledger, &hold, &incident, deadline_us);
    if (status == STATUS_OK && is_end(to) && !is_end(from)) {
        struct party party;
        record_party(hold.record, &party);
        pending_holds_release(ledger->pending_holds, record_text(hold.record, "incident"),
                              party.own);
        parties_leave(ledger->parties, &party);
    }
    ledger_document_clear(&hold);
    ledger_document_clear(&incident);
    return status;
}

enum status ledger_move(struct ledger *ledger, const char *id, const char *from,
                        const char *to, int64_t deadline_us)
{
    enum status status = STATUS_CONFLICT;
    while (status == STATUS_CONFLICT)
        status = clock_left_ms(deadline_us) > 0
                     ? try_move(ledger, id, from, to, deadline_us)
                     : STATUS_UNAVAILABLE;
    if (status == STATUS_UNAVAILABLE)
        atomic_store(&ledger->unrecorded, true);
    return status == STATUS_INVALID ? STATUS_CONFLICT : status;
}

/* ---- restoring ---- */

struct restoring {
    struct ledger *ledger;
    const struct orphan *orphan;
    struct hold_header header;
    char identity[SUBJECT_SIZE];
    struct party party; /* the client is not known any more */
    bool tell;
    int64_t reach, deadline_us;
};

/* A hold that is recorded as over, or as another message, though this queue has it: the
 * queue is right. One that ended just now was only listed before that. */
static enum status revive(const struct restoring *restoring, struct ledger_document *hold)
{
    struct ledger_document incident = {0};
    const char *state = record_text(hold->record, "state");
    const char *host = restoring->ledger->host;
    int64_t ended_ms = record_number(hold->record, "ended_at");
    bool same =
        strcmp(record_text(hold->record, "queue_id"), restoring->orphan->queue_id) == 0 &&
        strcmp(record_text(hold->record, "host"), host) == 0;
    if (is_end(state) && strcmp(state, "gone") != 0 &&
        clock_wall_ms() - ended_ms < RESTORE_LATE_MS)
        return STATUS_OK;
    if (!is_end(state) && (same || strcmp(state, "held") != 0))
        return STATUS_OK;
    enum status status = count_move(restoring->ledger, hold->record, "held",
                                    restoring->deadline_us, &incident);
    if (status == STATUS_OK &&
        (!set_state(hold->record, "held") ||
         json_object_set_new(hold->record, "host", record_string(host)) != 0 ||
         json_object_set_new(hold->record, "queue_id",
                             record_string(restoring->orphan->queue_id)) != 0))
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        status = write_both(restoring->ledger, hold, &incident, restoring->deadline_us);
    ledger_document_clear(&incident);
    return status;
}

/* The incident as it is to become: grown by one hold, or made anew from what is known. */
static enum status grow_incident(const struct restoring *restoring,
                                 struct ledger_document *incident)
{
    const struct hold_header *header = &restoring->header;
    const struct orphan *orphan = restoring->orphan;
    const struct stop stop = {.rule = header->rule,
                              .fingerprint = "",
                              .subject = orphan->recalled ? restoring->identity : "",
                              .identity = restoring->identity,
                              .sender = orphan->sender,
                              .party = restoring->party.own,
                              .host = restoring->ledger->host,
                              .before = -1,
                              .tell = restoring->tell,
                              .login = strncmp(restoring->identity, "login:", 6) == 0,
                              .held = 1,
                              .reach = restoring->reach,
                              .first_ms = orphan->arrived_ms,
                              .last_ms = orphan->arrived_ms};
    enum status status = ledger_read_incident(restoring->ledger, header->incident,
                                              restoring->deadline_us, incident);
    if (status == STATUS_OK)
        return record_grow(incident->record, &stop) ? STATUS_OK : STATUS_NOMEM;
    if (status != STATUS_NOT_FOUND)
        return status;
    *incident = (struct ledger_document){.collection = COLLECTION_INCIDENTS};
    (void)snprintf(incident->id, sizeof incident->id, "%s", header->incident);
    incident->record = record_new_incident(header->incident, &stop);
    if (incident->record == NULL ||
        json_object_set_new(incident->record, "open", json_false()) != 0)
        return STATUS_NOMEM;
    return STATUS_OK;
}

static json_t *make_hold(const struct restoring *restoring,
                         const struct ledger_document *incident)
{
    bool open = incident->record != NULL && incident->collection == COLLECTION_OPEN;
    const struct record_hold fields = {.id = restoring->header.id,
                                       .incident = restoring->header.incident,
                                       .rule = restoring->header.rule,
                                       .identity = restoring->identity,
                                       .sender = restoring->orphan->sender,
                                       .party = &restoring->party,
                                       .host = restoring->ledger->host,
                                       .queue_id = restoring->orphan->queue_id,
                                       .open_id = open ? incident->id : "",
                                       .reach = restoring->reach,
                                       .held_ms = restoring->orphan->arrived_ms,
                                       .tell = restoring->tell,
                                       .recalled = restoring->orphan->recalled,
                                       .arrived_s = restoring->orphan->arrived_ms / 1000,
                                       .restored = true};
    return record_new_hold(&fields);
}

static enum status enter(const struct restoring *restoring)
{
    struct ledger_document incident = {0};
    struct ledger_document hold = {.collection = COLLECTION_HOLDS};
    enum status status = STATUS_OK;
    (void)snprintf(hold.id, sizeof hold.id, "%s", restoring->header.id);
    if (strcmp(restoring->header.incident, "-") != 0)
        status = grow_incident(restoring, &incident);
    if (status == STATUS_OK) {
        hold.record = make_hold(restoring, &incident);
        status = hold.record == NULL ? STATUS_NOMEM
                                     : write_both(restoring->ledger, &hold, &incident,
                                                  restoring->deadline_us);
    }
    ledger_document_clear(&hold);
    ledger_document_clear(&incident);
    return status;
}

/* Do not trust the sender unless the hold header vouches for it. */
static void take_sender(struct restoring *restoring)
{
    const struct orphan *orphan = restoring->orphan;
    if (!orphan->recalled)
        restoring->tell = hold_header_vouches(&restoring->ledger->key, &restoring->header,
                                              orphan->sender, restoring->identity,
                                              sizeof restoring->identity);
    if (!restoring->tell)
        (void)snprintf(restoring->identity, sizeof restoring->identity, "%s%s",
                       orphan->sender[0] == '\0' ? "-" : "sender:", orphan->sender);
    party_make(&restoring->ledger->key, restoring->identity, "", restoring->tell,
               &restoring->party);
}

enum status ledger_restore(struct ledger *ledger, const struct orphan *orphan,
                           int64_t deadline_us)
{
    struct restoring restoring = {
        .ledger = ledger, .orphan = orphan, .deadline_us = deadline_us};
    enum status status = hold_header_parse(orphan->header, &restoring.header);
    if (status != STATUS_OK)
        return status;
    restoring.reach = orphan->recalled ? EVENT_REACH_UNKNOWN : restoring.header.reach;
    take_sender(&restoring);
    do {
        struct ledger_document hold = {0};
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status = ledger_read_hold(ledger, restoring.header.id, deadline_us, &hold);
        if (status == STATUS_OK)
            status = revive(&restoring, &hold);
        else if (status == STATUS_NOT_FOUND)
            status = enter(&restoring);
        ledger_document_clear(&hold);
    } while (status == STATUS_CONFLICT);
    return status;
}

/* ---- patching ---- */

struct patching {
    struct ledger *ledger;
    const char *id;
    const json_t *expected; /* fields that must still be so; NULL: none */
    const json_t *patch;
    int64_t deadline_us;
    bool lost; /* they are not any more */
};

static bool is_as_expected(const json_t *record, const json_t *expected)
{
    json_t *object = (json_t *)(uintptr_t)expected;
    for (void *at = json_object_iter(object); at != NULL;
         at = json_object_iter_next(object, at)) {
        const json_t *value = json_object_get(record, json_object_iter_key(at));
        if (json_integer_value(value) != json_integer_value(json_object_iter_value(at)))
            return false;
    }
    return true;
}

static enum status try_patch(struct patching *patching)
{
    struct ledger *ledger = patching->ledger;
    const char *id = patching->id;
    const json_t *patch = patching->patch;
    int64_t deadline_us = patching->deadline_us;
    struct ledger_document incident = {0};
    enum status status = ledger_read_incident(ledger, id, deadline_us, &incident);
    if (status != STATUS_OK)
        return status;
    if (patching->expected != NULL &&
        !is_as_expected(incident.record, patching->expected)) {
        patching->lost = true;
        ledger_document_clear(&incident);
        return STATUS_CONFLICT;
    }
    json_t *copy = json_deep_copy(patch);
    char *value = NULL;
    if (copy != NULL && json_object_update(incident.record, copy) == 0)
        value = record_dump(incident.record);
    json_decref(copy);
    struct change change = make_change(&incident, incident.collection, value);
    if (value == NULL)
        status = STATUS_NOMEM;
    else if (strlen(value) > RECORD_PATCHED_MAX)
        status = STATUS_LIMIT;
    else
        status = store_change(ledger->store, &change, 1, deadline_us);
    if (status == STATUS_OK && json_is_false(json_object_get(patch, "open")))
        pending_holds_close(ledger->pending_holds, id);
    free(value);
    ledger_document_clear(&incident);
    return status;
}

enum status ledger_claim_incident(struct ledger *ledger, const char *id,
                                  const json_t *expected, const json_t *patch,
                                  int64_t deadline_us)
{
    struct patching patching = {.ledger = ledger,
                                .id = id,
                                .expected = expected,
                                .patch = patch,
                                .deadline_us = deadline_us};
    enum status status = STATUS_CONFLICT;
    while (status == STATUS_CONFLICT && !patching.lost) {
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status = try_patch(&patching);
    }
    return status;
}

enum status ledger_patch_incident(struct ledger *ledger, const char *id,
                                  const json_t *patch, int64_t deadline_us)
{
    return ledger_claim_incident(ledger, id, NULL, patch, deadline_us);
}
