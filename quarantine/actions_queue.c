/* The whole queue against the whole ledger. Records are read before the queue is listed:
 * what is decided meanwhile has another state by then, and ledger_move says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/sender.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/hold_header.h"
#include "quarantine/queue.h"
#include "quarantine/recalled.h"
#include "quarantine/record.h"

enum {
    ID_SIZE = 72,
    YOUNG_MS = 10 * 1000, /* the MTA has surely put a message on hold after this */
    YOUNG_WAIT_S = 2,
};

/* ---- sync: what the queue has ---- */

struct syncing {
    struct actions *actions;
    const struct settings *settings;
    json_t *holds;                /* of all, as actions_read_holds has them */
    json_t *by_id;                /* the same records, by their ids */
    json_t *recalled_by_queue_id; /* those of ours that a brake pulled back and that are
                                   not over */
    const struct queue *queue;
    struct recalled recalled; /* as the file has it */
    struct actions_sync *found;
};

/* Our own hold header: the last one, since ours is added behind what came in. */
static const char *last_line(char *hold_headers)
{
    size_t length = strlen(hold_headers);
    while (length > 0 &&
           (hold_headers[length - 1] == '\n' || hold_headers[length - 1] == '\r'))
        hold_headers[--length] = '\0';
    const char *newline = strrchr(hold_headers, '\n');
    return newline == NULL ? hold_headers : newline + 1;
}

/* The id of "id=... rule=..."; "" when there is none. */
static void hold_header_id(const char *header, char out[ID_SIZE])
{
    const char *id = strstr(header, "id=");
    out[0] = '\0';
    if (id == NULL || (id != header && id[-1] != ' '))
        return;
    id += 3;
    (void)snprintf(out, ID_SIZE, "%.*s", (int)strcspn(id, " \t"), id);
}

static bool is_ours(const struct syncing *syncing, const json_t *hold)
{
    return strcmp(record_text(hold, "host"), syncing->actions->host) == 0;
}

/* A record that says that something else became of a message that is on hold: somebody
 * held it again, or a daemon died in the middle of a decision. */
static enum status hold_again(struct syncing *syncing, const json_t *hold)
{
    struct actions *actions = syncing->actions;
    (void)pthread_mutex_lock(&actions->deciding);
    enum status status =
        ledger_move(actions->ledger, record_text(hold, "id"), record_text(hold, "state"),
                    "held", actions_deadline_us());
    (void)pthread_mutex_unlock(&actions->deciding);
    return status == STATUS_CONFLICT ? STATUS_OK : status; /* it was decided meanwhile */
}

bool actions_canonical(const struct settings *settings, const char *queued,
                       struct address *out)
{
    const struct domains *own = &settings->policy.domains;
    if (address_parse(queued, strlen(queued), out) != STATUS_OK)
        return false;
    if (domains_first(own) != NULL &&
        address_qualify(out, domains_first(own)) != STATUS_OK)
        return false;
    sender_simplify(out, own);
    return true;
}

static enum status restore(struct syncing *syncing, const struct orphan *orphan)
{
    enum status status =
        ledger_restore(syncing->actions->ledger, orphan, actions_deadline_us());
    if (status == STATUS_OK)
        syncing->found->restored++;
    else if (status == STATUS_INVALID)
        syncing->found->foreign++;
    return status == STATUS_INVALID ? STATUS_OK : status;
}

static bool is_record_of(const json_t *hold, const struct queue_message *message)
{
    return strcmp(record_text(hold, "queue_id"), message->queue_id) == 0;
}

/* A message on hold with its record. */
static enum status take_recorded(struct syncing *syncing, const json_t *hold)
{
    if (strcmp(record_text(hold, "state"), "held") == 0) {
        syncing->found->known++;
        return STATUS_OK;
    }
    enum status status = hold_again(syncing, hold);
    if (status == STATUS_OK)
        syncing->found->restored++;
    return status;
}

static bool is_over(const json_t *hold)
{
    const char *state = record_text(hold, "state");
    return strcmp(state, "held") != 0 && actions_state_after(state) == NULL;
}

/* The record of a message that a brake pulled back, unless it is over. */
static const json_t *find_recalled(const struct syncing *syncing,
                                   const struct queue_message *message)
{
    return json_object_get(syncing->recalled_by_queue_id, message->queue_id);
}

static bool was_recalled(const struct syncing *syncing,
                         const struct queue_message *message)
{
    return find_recalled(syncing, message) != NULL ||
           recalled_find(&syncing->recalled, message->queue_id, message->arrived_ms) !=
               NULL;
}

static enum status take_without_header(struct syncing *syncing,
                                       const struct queue_message *message)
{
    char text[HOLD_HEADER_SIZE];
    struct hold_header header = {.rule = "brake"};
    const json_t *hold = find_recalled(syncing, message);
    const struct recalled_message *recalled =
        recalled_find(&syncing->recalled, message->queue_id, message->arrived_ms);
    if (hold != NULL)
        return take_recorded(syncing, hold);
    if (recalled == NULL) {
        syncing->found->foreign++;
        return STATUS_OK;
    }
    memcpy(header.id, recalled->id, sizeof header.id);
    memcpy(header.incident, recalled->incident, sizeof header.incident);
    hold_header_print(&header, text);
    const struct orphan orphan = {.header = text,
                                  .queue_id = message->queue_id,
                                  .sender = message->sender,
                                  .arrived_ms = message->arrived_ms,
                                  .recalled = true};
    return restore(syncing, &orphan);
}

/* The message that a record names still waits. */
static bool is_on_hold(const struct syncing *syncing, const json_t *hold)
{
    const struct queue_message *message =
        is_over(hold) ? NULL : queue_find(syncing->queue, record_text(hold, "queue_id"));
    return message != NULL && message->held;
}

static enum status take_with_header(struct syncing *syncing, const char *header,
                                    const struct queue_message *message)
{
    char id[ID_SIZE];
    struct address sender;
    hold_header_id(header, id);
    json_t *hold = json_object_get(syncing->by_id, id);
    bool ours = hold != NULL && is_ours(syncing, hold);
    bool same = ours && is_record_of(hold, message);
    /* What was released with its hold header may have been pulled back since. */
    if ((!same || is_over(hold)) && was_recalled(syncing, message))
        return take_without_header(syncing, message);
    if (same)
        return take_recorded(syncing, hold);
    if (ours && is_on_hold(syncing, hold)) { /* a copy of the hold header */
        syncing->found->foreign++;
        return STATUS_OK;
    }
    bool sound = actions_canonical(syncing->settings, message->sender, &sender);
    const struct orphan orphan = {.header = header,
                                  .queue_id = message->queue_id,
                                  .sender = sound ? sender.text : message->sender,
                                  .arrived_ms = message->arrived_ms};
    enum status status = restore(syncing, &orphan);
    /* As it was read, the record would be ended for want of its message. */
    if (status == STATUS_OK && hold != NULL &&
        json_object_set_new(hold, "queue_id", json_string(message->queue_id)) != 0)
        status = STATUS_NOMEM;
    return status;
}

static enum status fail_message(struct actions_sync *found, const char *queue_id,
                                const char *why)
{
    found->failed++;
    if (found->failures == NULL)
        found->failures = json_array();
    if (json_array_size(found->failures) == ACTIONS_FAILURES_MAX)
        return STATUS_OK;
    return json_array_append_new(found->failures,
                                 json_pack("{s:o, s:o}", "queue_id",
                                           record_string(queue_id), "error",
                                           record_string(why))) == 0
               ? STATUS_OK
               : STATUS_NOMEM;
}

/* NOMEM and UNAVAILABLE end the sync; a message that can't be looked at does not. */
static enum status take_message(struct syncing *syncing,
                                const struct queue_message *message,
                                const struct helper_order *look, struct error *error)
{
    enum status status = look->status;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* decided meanwhile */
    syncing->found->in_queue++;
    if (status == STATUS_OK) {
        const char *header = last_line(look->value);
        status = header[0] == '\0' ? take_without_header(syncing, message)
                                   : take_with_header(syncing, header, message);
    }
    if (look->status == STATUS_OK && status == STATUS_UNAVAILABLE)
        return error_set(error, status, "the store does not answer");
    if (status == STATUS_UNAVAILABLE)
        return error_set(error, status, "%s", look->error.text);
    if (status != STATUS_OK && status != STATUS_NOMEM)
        status = fail_message(syncing->found, message->queue_id,
                              look->status == STATUS_OK ? "its record can't be written"
                                                        : look->error.text);
    return status == STATUS_NOMEM ? error_set(error, status, "out of memory") : status;
}

/* Messages on hold, so many that one look at them is one batch. */
struct looking {
    const struct queue_message *messages[HELPER_BATCH_MAX];
    struct helper_order orders[HELPER_BATCH_MAX];
    size_t count;
};

static enum status take_batch(struct syncing *syncing, struct looking *looking,
                              struct error *error)
{
    enum status status =
        helper_do(syncing->settings->mta.helper, actions_helper_deadline_us(), "header",
                  looking->orders, looking->count, NULL, error);
    for (size_t i = 0; i < looking->count && status == STATUS_OK; i++)
        status = take_message(syncing, looking->messages[i], &looking->orders[i], error);
    for (size_t i = 0; i < looking->count; i++)
        free(looking->orders[i].value);
    *looking = (struct looking){.count = 0};
    return status;
}

static enum status take_queue(struct syncing *syncing,
                              const struct actions_progress *progress,
                              struct error *error)
{
    size_t held = 0;
    size_t done = 0;
    const struct queue *queue = syncing->queue;
    enum status status = STATUS_OK;
    struct looking *looking = calloc(1, sizeof *looking);
    if (looking == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    for (size_t i = 0; i < queue->count; i++)
        held += queue->messages[i].held;
    for (size_t i = 0; i < queue->count && status == STATUS_OK; i++) {
        if (!queue->messages[i].held)
            continue;
        looking->orders[looking->count].queue_id = queue->messages[i].queue_id;
        looking->messages[looking->count++] = &queue->messages[i];
        done++;
        if (looking->count < HELPER_BATCH_MAX && done < held)
            continue;
        status = take_batch(syncing, looking, error);
        actions_tell(progress, done, held);
    }
    free(looking);
    return status;
}

/* ---- sync: what the records say that the queue has not ---- */

/* What a record becomes; NULL when it is to stay. */
static const char *ending(const json_t *hold, const struct queue *queue)
{
    const char *state = record_text(hold, "state");
    const char *after = actions_state_after(state);
    if (is_over(hold))
        return NULL;
    const struct queue_message *message =
        queue_find(queue, record_text(hold, "queue_id"));
    if (message != NULL && message->held)
        return NULL;
    if (after != NULL)
        return after;
    return message == NULL ? "gone" : "released"; /* by hand, and on its way */
}

static enum status end_records(struct syncing *syncing, const struct queue *queue)
{
    size_t i;
    const json_t *hold;
    bool own = actions_names(syncing->actions) == ACTIONS_NAMES_OWN;
    json_array_foreach(syncing->holds, i, hold)
    {
        const char *to = is_ours(syncing, hold) ? ending(hold, queue) : NULL;
        if (to != NULL && !own)
            syncing->found->spared++;
        if (to == NULL || !own)
            continue;
        struct actions *actions = syncing->actions;
        (void)pthread_mutex_lock(&actions->deciding);
        enum status status =
            ledger_move(actions->ledger, record_text(hold, "id"),
                        record_text(hold, "state"), to, actions_deadline_us());
        (void)pthread_mutex_unlock(&actions->deciding);
        if (status == STATUS_OK)
            syncing->found->ended++;
        else if (status != STATUS_CONFLICT && status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

/* Some record's message is missing, perhaps since the MTA is still putting it there. */
static bool is_too_early(const struct syncing *syncing, const struct queue *queue)
{
    size_t i;
    const json_t *hold;
    int64_t now_ms = clock_wall_ms();
    json_array_foreach(syncing->holds, i, hold)
    {
        if (is_ours(syncing, hold) && ending(hold, queue) != NULL &&
            now_ms - record_parse_time(record_text(hold, "held_at")) < YOUNG_MS)
            return true;
    }
    return false;
}

static enum status end_missing(struct syncing *syncing, const struct queue *queue,
                               struct error *error)
{
    struct queue later = {0};
    enum status status = STATUS_OK;
    if (is_too_early(syncing, queue)) {
        clock_sleep_ms(YOUNG_WAIT_S * 1000);
        status =
            queue_read(syncing->settings->mta.helper, ACTIONS_HELPER_MS, &later, error);
        queue = &later;
    }
    if (status == STATUS_OK) {
        status = end_records(syncing, queue);
        if (status != STATUS_OK)
            (void)error_set(error, status, "the store does not answer");
    }
    queue_clear(&later);
    return status;
}

/* ---- sync ---- */

static enum status read_records(struct syncing *syncing, struct error *error)
{
    size_t i;
    json_t *hold;
    struct ledger *ledger = syncing->actions->ledger;
    /* What waits to be recorded is known better here than the queue knows it. What can't
     * be recorded for another reason than that the store is away, is tried from there. */
    enum status status = ledger_flush(ledger, actions_deadline_us());
    if (status != STATUS_UNAVAILABLE)
        status = actions_read_holds(syncing->actions, true, &syncing->holds);
    if (status != STATUS_OK)
        return error_set(error, status, "the store does not answer");
    syncing->by_id = json_object();
    syncing->recalled_by_queue_id = json_object();
    json_array_foreach(syncing->holds, i, hold)
    {
        bool recalled =
            is_ours(syncing, hold) && actions_is_recalled(hold) && !is_over(hold);
        if (json_object_set(syncing->by_id, record_text(hold, "id"), hold) != 0 ||
            (recalled && json_object_set(syncing->recalled_by_queue_id,
                                         record_text(hold, "queue_id"), hold) != 0))
            return error_set(error, STATUS_NOMEM, "out of memory");
    }
    return STATUS_OK;
}

/* What has left the queue needs no line in the file any more. A message may have come,
 * and been recalled, since the queue was listed. */
static enum status forget_recalled(const struct syncing *syncing,
                                   const struct queue *queue, int64_t listed_ms,
                                   struct error *error)
{
    struct recalled all = {0};
    struct recalled left = {0};
    const char *state_file = syncing->settings->store.state_file;
    (void)pthread_mutex_lock(&syncing->actions->deciding);
    enum status status = recalled_read(state_file, &all, error);
    for (size_t i = 0; i < all.count && status == STATUS_OK; i++) {
        const struct recalled_message *recalled = &all.messages[i];
        const struct queue_message *message = queue_find(queue, recalled->queue_id);
        if ((message != NULL && message->arrived_ms == recalled->arrived_ms) ||
            recalled->arrived_ms > listed_ms - YOUNG_MS)
            status = recalled_add(&left, recalled);
    }
    if (status == STATUS_NOMEM)
        (void)error_set(error, status, "out of memory");
    if (status == STATUS_OK && left.count < all.count)
        status = recalled_write(state_file, &left, error);
    (void)pthread_mutex_unlock(&syncing->actions->deciding);
    recalled_clear(&all);
    recalled_clear(&left);
    return status;
}

static void clear(struct syncing *syncing)
{
    recalled_clear(&syncing->recalled);
    json_decref(syncing->recalled_by_queue_id);
    json_decref(syncing->by_id);
    json_decref(syncing->holds);
}

/* What is full is known by the new numbers at once; without the store it is next time. */
static void recount(struct actions *actions)
{
    if (ledger_recount(actions->ledger, actions_deadline_us()) != STATUS_OK)
        return;
}

enum status actions_tidy(struct actions *actions, const struct settings *settings,
                         struct actions_sync *out, struct error *error)
{
    struct actions_sync found = {0};
    struct syncing syncing = {.actions = actions, .settings = settings, .found = &found};
    struct queue queue = {0};
    *error = (struct error){0};
    enum status status = read_records(&syncing, error);
    if (status == STATUS_OK)
        status = queue_read(settings->mta.helper, ACTIONS_HELPER_MS, &queue, error);
    if (status == STATUS_OK)
        status = end_missing(&syncing, &queue, error);
    if (status == STATUS_OK)
        *out = found;
    recount(actions);
    queue_clear(&queue);
    clear(&syncing);
    return status;
}

void actions_sync_clear(struct actions_sync *sync)
{
    json_decref(sync->failures);
    *sync = (struct actions_sync){0};
}

enum status actions_sync(struct actions *actions, const struct settings *settings,
                         const struct actions_progress *progress,
                         struct actions_sync *out, struct error *error)
{
    struct actions_sync found = {0};
    struct syncing syncing = {.actions = actions, .settings = settings, .found = &found};
    struct queue queue = {0};
    int64_t listed_ms = clock_wall_ms();
    *error = (struct error){0};
    syncing.queue = &queue;
    enum status status = read_records(&syncing, error);
    if (status == STATUS_OK)
        status = recalled_read(settings->store.state_file, &syncing.recalled, error);
    if (status == STATUS_OK)
        status = queue_read(settings->mta.helper, ACTIONS_HELPER_MS, &queue, error);
    if (status == STATUS_OK)
        status = take_queue(&syncing, progress, error);
    if (status == STATUS_OK)
        status = end_missing(&syncing, &queue, error);
    if (status == STATUS_OK && syncing.recalled.count > 0)
        status = forget_recalled(&syncing, &queue, listed_ms, error);
    if (status == STATUS_OK)
        *out = found;
    else
        json_decref(found.failures);
    recount(actions);
    queue_clear(&queue);
    clear(&syncing);
    return status;
}
