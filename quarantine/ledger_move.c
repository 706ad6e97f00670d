/* What becomes of holds, and of their incidents, many at a time. Each change checks the
 * documents that it was worked out from, so of two who move the same hold one is told
 * that it was too late. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/plan.h"
#include "quarantine/ledger_parts.h"
#include "store/store.h"

enum { TRIES_TOGETHER = 3 }; /* then each by itself */

/* ---- one record ---- */

static bool set_state(json_t *hold, const char *state)
{
    if (json_object_set_new(hold, "state", json_string(state)) != 0)
        return false;
    if (!record_is_over(state)) {
        (void)json_object_del(hold, "ended_at");
        return true;
    }
    return json_object_set_new(hold, "ended_at", json_integer(clock_wall_ms())) == 0;
}

/* What one administrator alone has released, or may (record_is_counted). */
static bool count_reach(json_t *hold, json_t *incident, const char *to, bool released)
{
    int64_t reach = record_number(hold, "reach");
    bool alone = json_array_size(json_object_get(hold, "approved_by")) < 2;
    if (record_is_counted(hold)) {
        bool given_up = strcmp(to, "refused") == 0 || strcmp(to, "deleted") == 0;
        return !given_up || (json_object_del(hold, "counted") == 0 &&
                             record_add_number(incident, "released_reach", -reach));
    }
    if (!released || !alone)
        return true;
    return record_add_number(incident, "released_reach",
                             record_is_over(to) ? reach : -reach);
}

bool ledger_change_state(json_t *hold, json_t *incident, const char *to)
{
    const char *from = record_text(hold, "state");
    bool ends = record_is_over(to);
    bool released = strcmp(ends ? to : from, "released") == 0;
    int more = ends ? 1 : -1;
    struct party party;
    bool counted = true;
    record_party(hold, &party);
    if (incident != NULL && ends != record_is_over(from))
        counted = record_add_number(incident, "ended", more) &&
                  (!released || record_add_number(incident, "released", more)) &&
                  count_reach(hold, incident, to, released) &&
                  record_add_party(incident, party.own, -more);
    return counted && set_state(hold, to);
}

static const char *incident_id(const json_t *hold)
{
    const char *id = record_text(hold, "incident");
    return id[0] == '\0' ? "-" : id;
}

enum status ledger_read_incident_of(struct ledger *ledger, const json_t *hold,
                                    int64_t deadline_us, struct ledger_document *out)
{
    return ledger_read(ledger, COLLECTION_INCIDENTS, incident_id(hold), deadline_us, out);
}

/* ---- many ---- */

/* One attempt at a move of several holds. */
struct move {
    struct ledger *ledger;
    const char *const *ids;
    const char *from, *to;
    size_t count;
    int64_t deadline_us;
    enum status *statuses; /* CONFLICT: not done yet */
    struct ledger_document holds[LEDGER_MOVE_MAX], incidents[LEDGER_MOVE_MAX];
    struct ledger_document *incident_of[LEDGER_MOVE_MAX]; /* NULL: it is not touched */
    const char *incident_ids[LEDGER_MOVE_MAX];
    size_t incident_count;
};

static void clear(struct move *move)
{
    for (size_t i = 0; i < move->count; i++)
        ledger_document_clear(&move->holds[i]);
    for (size_t i = 0; i < move->incident_count; i++)
        ledger_document_clear(&move->incidents[i]);
    memset(move->incident_of, 0, sizeof move->incident_of);
    move->incident_count = 0;
}

static enum status take(struct ledger_document *document, enum collection collection,
                        const char *id, const char *value)
{
    *document = ledger_new_document(collection, id, record_load(value));
    document->text = strdup(value);
    return document->text == NULL ? STATUS_NOMEM : STATUS_OK;
}

static enum status take_hold(void *context, const char *id, const char *value)
{
    struct move *move = context;
    for (size_t i = 0; i < move->count; i++)
        if (move->statuses[i] == STATUS_CONFLICT && strcmp(move->ids[i], id) == 0)
            return take(&move->holds[i], COLLECTION_HOLDS, id, value);
    return STATUS_OK;
}

static enum status take_incident(void *context, const char *id, const char *value)
{
    struct move *move = context;
    for (size_t i = 0; i < move->incident_count; i++)
        if (strcmp(move->incident_ids[i], id) == 0)
            return take(&move->incidents[i], COLLECTION_INCIDENTS, id, value);
    return STATUS_OK;
}

/* Reads those holds that are not done. Those that can't be moved get their status. */
static enum status read_holds(struct move *move)
{
    const char *wanted[LEDGER_MOVE_MAX];
    size_t count = 0;
    for (size_t i = 0; i < move->count; i++)
        if (move->statuses[i] == STATUS_CONFLICT)
            wanted[count++] = move->ids[i];
    enum status status = store_get_many(move->ledger->store, COLLECTION_HOLDS, wanted,
                                        count, move->deadline_us, take_hold, move);
    for (size_t i = 0; i < move->count && status == STATUS_OK; i++) {
        const json_t *record = move->holds[i].record;
        if (move->statuses[i] != STATUS_CONFLICT)
            continue;
        if (record == NULL)
            move->statuses[i] = STATUS_NOT_FOUND;
        else if (strcmp(record_text(record, "state"), move->from) != 0)
            move->statuses[i] = STATUS_INVALID;
    }
    return status;
}

/* Reads the incidents that the move changes, each once. */
static enum status read_incidents(struct move *move)
{
    if (record_is_over(move->from) == record_is_over(move->to))
        return STATUS_OK;
    for (size_t i = 0; i < move->count; i++) {
        if (move->statuses[i] != STATUS_CONFLICT)
            continue;
        const char *id = incident_id(move->holds[i].record);
        size_t at = 0;
        while (at < move->incident_count && strcmp(move->incident_ids[at], id) != 0)
            at++;
        if (at == move->incident_count)
            move->incident_ids[move->incident_count++] = id;
        move->incident_of[i] = &move->incidents[at];
    }
    return store_get_many(move->ledger->store, COLLECTION_INCIDENTS, move->incident_ids,
                          move->incident_count, move->deadline_us, take_incident, move);
}

static enum status write(struct move *move)
{
    const struct ledger_document *documents[2 * LEDGER_MOVE_MAX];
    size_t count = 0;
    for (size_t i = 0; i < move->count; i++) {
        json_t *incident =
            move->incident_of[i] == NULL ? NULL : move->incident_of[i]->record;
        if (move->statuses[i] != STATUS_CONFLICT)
            continue;
        if (!ledger_change_state(move->holds[i].record, incident, move->to))
            return STATUS_NOMEM;
        documents[count++] = &move->holds[i];
    }
    for (size_t i = 0; i < move->incident_count; i++)
        documents[count++] = &move->incidents[i];
    return ledger_write(move->ledger, documents, count, move->deadline_us);
}

/* What this process counts. */
static void settle(struct move *move, size_t i)
{
    const json_t *hold = move->holds[i].record;
    struct party party;
    move->statuses[i] = STATUS_OK;
    if (!record_is_over(move->to) || record_is_over(move->from))
        return;
    record_party(hold, &party);
    pending_holds_release(move->ledger->pending_holds, record_text(hold, "incident"),
                          party.own);
    parties_leave(move->ledger->parties, &party);
}

/* CONFLICT: something was changed by others meanwhile. */
static enum status try_move(struct move *move)
{
    enum status status =
        clock_left_ms(move->deadline_us) > 0 ? STATUS_OK : STATUS_UNAVAILABLE;
    if (status == STATUS_OK)
        status = read_holds(move);
    if (status == STATUS_OK)
        status = read_incidents(move);
    if (status == STATUS_OK)
        status = write(move);
    for (size_t i = 0; i < move->count && status != STATUS_CONFLICT; i++) {
        if (move->statuses[i] != STATUS_CONFLICT)
            continue;
        if (status == STATUS_OK)
            settle(move, i);
        else
            move->statuses[i] = status;
    }
    clear(move);
    return status;
}

static void move_some(struct ledger *ledger, const char *const *ids, size_t count,
                      const char *from, const char *to, int64_t deadline_us,
                      enum status *out)
{
    enum status status = STATUS_CONFLICT;
    struct move *move = calloc(1, sizeof *move);
    for (size_t i = 0; i < count; i++) {
        out[i] = move == NULL ? STATUS_NOMEM : STATUS_CONFLICT;
        for (size_t before = 0; before < i && move != NULL; before++)
            if (strcmp(ids[before], ids[i]) == 0)
                out[i] = STATUS_INVALID; /* the first one moves it */
    }
    if (move == NULL)
        return;
    *move = (struct move){.ledger = ledger,
                          .ids = ids,
                          .from = from,
                          .to = to,
                          .count = count,
                          .deadline_us = deadline_us,
                          .statuses = out};
    for (int i = 0; status == STATUS_CONFLICT && (count == 1 || i < TRIES_TOGETHER); i++)
        status = try_move(move);
    free(move);
    for (size_t i = 0; i < count; i++) {
        if (out[i] == STATUS_CONFLICT && count > 1)
            out[i] = ledger_move(ledger, ids[i], from, to, deadline_us);
        else if (out[i] == STATUS_INVALID) /* it is in another state, for good */
            out[i] = STATUS_CONFLICT;
        if (out[i] == STATUS_UNAVAILABLE)
            atomic_store(&ledger->unrecorded, true);
    }
}

void ledger_move_many(struct ledger *ledger, const char *const *ids, size_t count,
                      const char *from, const char *to, int64_t deadline_us,
                      enum status *out)
{
    for (size_t at = 0; at < count; at += LEDGER_MOVE_MAX)
        move_some(ledger, ids + at,
                  count - at < LEDGER_MOVE_MAX ? count - at : LEDGER_MOVE_MAX, from, to,
                  deadline_us, out + at);
}

enum status ledger_move(struct ledger *ledger, const char *id, const char *from,
                        const char *to, int64_t deadline_us)
{
    enum status status;
    ledger_move_many(ledger, &id, 1, from, to, deadline_us, &status);
    return status;
}

/* ---- the windows that a release trains ---- */

/* False if the sample is invalid, or its rule has no surge now. */
static bool read_sample(const struct policy *policy, const json_t *sample,
                        struct charge *out)
{
    const char *fingerprint = json_string_value(json_array_get(sample, 0));
    const char *subject = json_string_value(json_array_get(sample, 1));
    json_int_t copies = json_integer_value(json_array_get(sample, 2));
    if (fingerprint == NULL || subject == NULL || copies <= 0)
        return false;
    const struct rule *rule = policy_find_rule(policy, fingerprint);
    if (rule == NULL || !rule->has_surge)
        return false;
    *out = plan_charge(rule, subject, (int64_t)copies);
    return true;
}

enum status ledger_train(struct ledger *ledger, const struct policy *policy,
                         const json_t *hold, int64_t deadline_us)
{
    struct charge charges[RECORD_SAMPLES_MAX];
    size_t count = 0;
    size_t i;
    const json_t *sample;
    json_array_foreach(json_object_get(hold, "teaches"), i, sample)
    {
        if (count < RECORD_SAMPLES_MAX && read_sample(policy, sample, &charges[count]))
            count++;
    }
    if (count == 0)
        return STATUS_OK;
    return store_amend(ledger->store, charges, count, AMEND_TRAIN, deadline_us);
}
