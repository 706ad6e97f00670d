/* The whole queue against all of this relay's records. Records are read before the queue
 * is listed: what is decided meanwhile has another state by then, and ledger_move says
 * so. Of records that are over, each is read when its message is on hold all the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/sender.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/hold_header.h"
#include "quarantine/local_holds.h"
#include "quarantine/queue.h"
#include "quarantine/recalled.h"
#include "quarantine/record.h"

enum {
    ID_SIZE = 72,
    YOUNG_MS = 10 * 1000, /* the MTA has surely put a message on hold after this */
    YOUNG_WAIT_S = 2,
};

/* ---- sync: what the queue has ---- */

struct sync {
    struct actions *actions;
    const struct settings *settings;
    bool whole; /* else only the records whose message is missing */
    const struct actions_progress *progress;
    struct local_holds holds;
    int64_t listed_ms, deadline_us;
    struct queue queue;
    struct recalled recalled; /* as the file has it */
    struct actions_sync found;
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

/* The record says that something else becomes of a message that is on hold: a daemon died
 * in the middle of a decision. */
static enum status hold_again(struct sync *sync, const struct local_hold *hold)
{
    struct actions *actions = sync->actions;
    (void)pthread_mutex_lock(&actions->deciding);
    enum status status = ledger_move(actions->ledger, hold->id, hold->state, "held",
                                     clock_deadline_us(ACTIONS_STORE_MS));
    (void)pthread_mutex_unlock(&actions->deciding);
    return status == STATUS_CONFLICT ? STATUS_OK : status; /* it was decided meanwhile */
}

/* As facts have a sender: canonical, and ours without its tag. False when it is none. */
static bool canonical(const struct settings *settings, const char *queued,
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

static enum status restore(struct sync *sync, const struct orphan *orphan)
{
    enum status status = ledger_restore(sync->actions->ledger, orphan,
                                        clock_deadline_us(ACTIONS_STORE_MS));
    if (status == STATUS_OK)
        sync->found.restored++;
    else if (status == STATUS_INVALID)
        sync->found.foreign++;
    return status == STATUS_INVALID ? STATUS_OK : status;
}

/* A message on hold with its record. */
static enum status take_recorded(struct sync *sync, const struct local_hold *hold)
{
    if (strcmp(hold->state, "held") == 0) {
        sync->found.known++;
        return STATUS_OK;
    }
    enum status status = hold_again(sync, hold);
    if (status == STATUS_OK)
        sync->found.restored++;
    return status;
}

static bool was_recalled(const struct sync *sync, const struct queue_message *message)
{
    return local_holds_find_recalled(&sync->holds, message->queue_id) != NULL ||
           recalled_find(&sync->recalled, message->queue_id, message->arrived_ms) != NULL;
}

static enum status take_without_header(struct sync *sync,
                                       const struct queue_message *message)
{
    char text[HOLD_HEADER_SIZE];
    struct hold_header header = {.rule = "brake"};
    const struct local_hold *hold =
        local_holds_find_recalled(&sync->holds, message->queue_id);
    const struct recalled_message *recalled =
        recalled_find(&sync->recalled, message->queue_id, message->arrived_ms);
    if (hold != NULL)
        return take_recorded(sync, hold);
    if (recalled == NULL) {
        sync->found.foreign++;
        return STATUS_OK;
    }
    memcpy(header.id, recalled->id, sizeof header.id);
    memcpy(header.incident, recalled->incident, sizeof header.incident);
    hold_header_print(&header, text);
    const struct orphan orphan = {.header = text,
                                  .queue_id = message->queue_id,
                                  .sender = message->sender,
                                  .arrived_ms = message->arrived_ms,
                                  .listed_ms = sync->listed_ms,
                                  .recalled = true};
    return restore(sync, &orphan);
}

/* The message that a record names still waits. */
static bool is_on_hold(const struct sync *sync, const struct local_hold *hold)
{
    const struct queue_message *message = queue_find(&sync->queue, hold->queue_id);
    return message != NULL && message->held;
}

static enum status take_with_header(struct sync *sync, const char *header,
                                    const struct queue_message *message)
{
    char id[ID_SIZE];
    struct address sender;
    hold_header_id(header, id);
    struct local_hold *hold = local_holds_find(&sync->holds, id);
    bool same = hold != NULL && strcmp(hold->queue_id, message->queue_id) == 0;
    if (same)
        return take_recorded(sync, hold);
    /* What was released with its hold header may have been pulled back since. */
    if (was_recalled(sync, message))
        return take_without_header(sync, message);
    if (hold != NULL && is_on_hold(sync, hold)) { /* a copy of the hold header */
        sync->found.foreign++;
        return STATUS_OK;
    }
    bool sound = canonical(sync->settings, message->sender, &sender);
    const struct orphan orphan = {.header = header,
                                  .queue_id = message->queue_id,
                                  .sender = sound ? sender.text : message->sender,
                                  .arrived_ms = message->arrived_ms,
                                  .listed_ms = sync->listed_ms};
    enum status status = restore(sync, &orphan);
    /* As it was read, the record would be ended for want of its message. */
    if (status == STATUS_OK && hold != NULL)
        (void)snprintf(hold->queue_id, sizeof hold->queue_id, "%s", message->queue_id);
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
static enum status take_message(struct sync *sync, const struct queue_message *message,
                                const struct helper_order *look, struct error *error)
{
    enum status status = look->status;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* decided meanwhile */
    sync->found.in_queue++;
    if (status == STATUS_OK) {
        const char *header = last_line(look->value);
        status = header[0] == '\0' ? take_without_header(sync, message)
                                   : take_with_header(sync, header, message);
    }
    if (look->status == STATUS_OK && status == STATUS_UNAVAILABLE)
        return error_set(error, status, "the store does not answer");
    if (status == STATUS_UNAVAILABLE)
        return error_set(error, status, "%s", look->error.text);
    if (status != STATUS_OK && status != STATUS_NOMEM)
        status = fail_message(&sync->found, message->queue_id,
                              look->status == STATUS_OK ? "its record can't be written"
                                                        : look->error.text);
    return status == STATUS_NOMEM ? error_set(error, status, "out of memory") : status;
}

/* Messages on hold, so many that one look at them is one batch. */
struct header_batch {
    const struct queue_message *messages[HELPER_BATCH_MAX];
    struct helper_order orders[HELPER_BATCH_MAX];
    size_t count;
};

static enum status take_batch(struct sync *sync, struct header_batch *batch,
                              struct error *error)
{
    enum status status =
        helper_do(sync->settings->mta.helper, clock_deadline_us(ACTIONS_HELPER_MS),
                  "header", batch->orders, batch->count, NULL, error);
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++)
        status = take_message(sync, batch->messages[i], &batch->orders[i], error);
    for (size_t i = 0; i < batch->count; i++)
        free(batch->orders[i].value);
    *batch = (struct header_batch){.count = 0};
    return status;
}

static size_t count_held(const struct queue *queue)
{
    size_t held = 0;
    for (size_t i = 0; i < queue->count; i++)
        held += queue->messages[i].held;
    return held;
}

/* The next ones from *at on that are on hold. */
static void fill_batch(const struct queue *queue, size_t *at, struct header_batch *batch)
{
    for (; *at < queue->count && batch->count < HELPER_BATCH_MAX; ++*at) {
        const struct queue_message *message = &queue->messages[*at];
        if (!message->held)
            continue;
        batch->orders[batch->count].queue_id = message->queue_id;
        batch->messages[batch->count++] = message;
    }
}

/* Where the next sync begins; out: where this one does. */
static void set_from(struct actions *actions, const char *queue_id,
                     char out[QUEUE_ID_MAX + 1])
{
    (void)pthread_mutex_lock(&actions->deciding);
    memcpy(out, actions->sync_from, sizeof actions->sync_from);
    (void)snprintf(actions->sync_from, sizeof actions->sync_from, "%s", queue_id);
    (void)pthread_mutex_unlock(&actions->deciding);
}

/* Goes on where the last sync ended before its time. LIMIT when this one does. */
static enum status take_queue(struct sync *sync, struct error *error)
{
    size_t at = 0, done = 0, held = count_held(&sync->queue);
    char from[sizeof sync->actions->sync_from];
    const struct queue *queue = &sync->queue;
    enum status status = STATUS_OK;
    struct header_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    set_from(sync->actions, "", from);
    for (; at < queue->count && strcmp(queue->messages[at].queue_id, from) < 0; at++)
        done += queue->messages[at].held;
    while (at < queue->count && status == STATUS_OK) {
        if (clock_left_ms(sync->deadline_us) == 0) {
            set_from(sync->actions, queue->messages[at].queue_id, from);
            status = error_set(error, STATUS_LIMIT,
                               "%zu of %zu held messages were looked at in %d minutes; "
                               "the next time goes on from there",
                               done, held, ACTIONS_SYNC_MS / 60000);
            break;
        }
        fill_batch(queue, &at, batch);
        done += batch->count;
        if (batch->count > 0)
            status = take_batch(sync, batch, error);
        actions_tell(sync->progress, done, held);
    }
    free(batch);
    return status;
}

/* ---- sync: what the records say that the queue has not ---- */

/* Records of ours that end, since their message is not on hold any more. Zero-initialise
 * but for the actions. */
struct endings {
    struct actions *actions;
    const char *ids[LEDGER_MOVE_MAX];
    const char *from, *to;
    size_t count;
    size_t ended; /* those that nobody decided about meanwhile */
};

/* UNAVAILABLE, NOMEM. */
static enum status end_all(struct endings *endings)
{
    enum status statuses[LEDGER_MOVE_MAX];
    enum status status = STATUS_OK;
    struct actions *actions = endings->actions;
    (void)pthread_mutex_lock(&actions->deciding);
    ledger_move_many(actions->ledger, endings->ids, endings->count, endings->from,
                     endings->to, clock_deadline_us(ACTIONS_STORE_MS), statuses);
    (void)pthread_mutex_unlock(&actions->deciding);
    for (size_t i = 0; i < endings->count; i++) {
        endings->ended += statuses[i] == STATUS_OK;
        if (statuses[i] == STATUS_UNAVAILABLE || statuses[i] == STATUS_NOMEM)
            status = statuses[i];
    }
    endings->count = 0;
    return status;
}

/* Adds one, whose strings are borrowed until they are written: when there are many, or it
 * ends in another way. */
static enum status end(struct endings *endings, const struct local_hold *hold,
                       const char *to)
{
    enum status status = STATUS_OK;
    if (endings->count == LEDGER_MOVE_MAX ||
        (endings->count > 0 &&
         (strcmp(endings->from, hold->state) != 0 || strcmp(endings->to, to) != 0)))
        status = end_all(endings);
    endings->from = hold->state;
    endings->to = to;
    endings->ids[endings->count++] = hold->id;
    return status;
}

/* What a record becomes; NULL when it is to stay. */
static const char *ending(const struct local_hold *hold, const struct queue *queue)
{
    const char *after = actions_state_after(hold->state);
    const struct queue_message *message = queue_find(queue, hold->queue_id);
    if (message != NULL && message->held)
        return NULL;
    if (after != NULL)
        return after;
    return message == NULL ? "gone" : "released"; /* by hand, and on its way */
}

static enum status end_records(struct sync *sync, const struct queue *queue)
{
    struct endings endings = {.actions = sync->actions};
    bool own = actions_names(sync->actions) == ACTIONS_NAMES_OWN;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sync->holds.count && status == STATUS_OK; i++) {
        const struct local_hold *hold = &sync->holds.items[i];
        const char *to = ending(hold, queue);
        if (to != NULL && own)
            status = end(&endings, hold, to);
        else if (to != NULL)
            sync->found.kept++;
    }
    if (status == STATUS_OK)
        status = end_all(&endings);
    sync->found.ended += endings.ended;
    return status;
}

/* Some record's message is missing, perhaps since the MTA is still putting it there. */
static bool is_too_early(const struct sync *sync, const struct queue *queue)
{
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < sync->holds.count; i++) {
        const struct local_hold *hold = &sync->holds.items[i];
        if (now_ms - hold->held_ms < YOUNG_MS && ending(hold, queue) != NULL)
            return true;
    }
    return false;
}

static enum status end_missing(struct sync *sync, const struct queue *queue,
                               struct error *error)
{
    struct queue later = {0};
    enum status status = STATUS_OK;
    if (is_too_early(sync, queue)) {
        clock_sleep_ms(YOUNG_WAIT_S * 1000);
        status = queue_read(sync->settings->mta.helper, ACTIONS_HELPER_MS, &later, error);
        queue = &later;
    }
    if (status == STATUS_OK) {
        status = end_records(sync, queue);
        if (status != STATUS_OK)
            (void)error_set(error, status, "the store does not answer");
    }
    queue_clear(&later);
    return status;
}

/* ---- sync ---- */

static enum status read_records(struct sync *sync, struct error *error)
{
    const struct actions *actions = sync->actions;
    /* What waits to be recorded is known better here than the queue knows it. What can't
     * be recorded for another reason than that the store is away, is tried from there. */
    enum status status =
        ledger_flush(actions->ledger, clock_deadline_us(ACTIONS_STORE_MS));
    if (status != STATUS_UNAVAILABLE)
        status = local_holds_read(actions->ledger, actions->host,
                                  clock_deadline_us(ACTIONS_READ_MS), &sync->holds);
    sync->listed_ms = clock_wall_ms();
    return status == STATUS_OK ? status : actions_say_store(error, status);
}

/* What has left the queue needs no line in the file any more. A message may have come,
 * and been recalled, since the queue was listed. */
static enum status forget_recalled(const struct sync *sync, const struct queue *queue,
                                   struct error *error)
{
    struct recalled all = {0};
    struct recalled left = {0};
    const char *state_file = sync->settings->store.state_file;
    (void)pthread_mutex_lock(&sync->actions->deciding);
    enum status status = recalled_read(state_file, &all, error);
    for (size_t i = 0; i < all.count && status == STATUS_OK; i++) {
        const struct recalled_message *recalled = &all.messages[i];
        const struct queue_message *message = queue_find(queue, recalled->queue_id);
        if ((message != NULL && message->arrived_ms == recalled->arrived_ms) ||
            recalled->arrived_ms > sync->listed_ms - YOUNG_MS)
            status = recalled_add(&left, recalled);
    }
    if (status == STATUS_NOMEM)
        (void)error_set(error, status, "out of memory");
    if (status == STATUS_OK && left.count < all.count)
        status = recalled_write(state_file, &left, error);
    (void)pthread_mutex_unlock(&sync->actions->deciding);
    recalled_clear(&all);
    recalled_clear(&left);
    return status;
}

static enum status run_sync(struct sync *sync, struct actions_sync *out,
                            struct error *error)
{
    const struct settings *settings = sync->settings;
    *error = (struct error){0};
    enum status status = read_records(sync, error);
    if (status == STATUS_OK && sync->whole)
        status = recalled_read(settings->store.state_file, &sync->recalled, error);
    if (status == STATUS_OK)
        status = queue_read(settings->mta.helper, ACTIONS_HELPER_MS, &sync->queue, error);
    if (status == STATUS_OK && sync->whole)
        status = take_queue(sync, error);
    if (status == STATUS_OK)
        status = end_missing(sync, &sync->queue, error);
    if (status == STATUS_OK && sync->recalled.count > 0)
        status = forget_recalled(sync, &sync->queue, error);
    if (status == STATUS_OK)
        *out = sync->found;
    else
        json_decref(sync->found.failures);
    /* What is full is known by the new numbers at once; without the store, next time. */
    enum status counted =
        ledger_recount(sync->actions->ledger, clock_deadline_us(ACTIONS_STORE_MS));
    (void)counted;
    queue_clear(&sync->queue);
    recalled_clear(&sync->recalled);
    local_holds_clear(&sync->holds);
    return status;
}

enum status actions_tidy(struct actions *actions, const struct settings *settings,
                         struct actions_sync *out, struct error *error)
{
    struct sync sync = {.actions = actions, .settings = settings};
    return run_sync(&sync, out, error);
}

enum status actions_sync(struct actions *actions, const struct settings *settings,
                         const struct actions_progress *progress,
                         struct actions_sync *out, struct error *error)
{
    struct sync sync = {.actions = actions,
                        .settings = settings,
                        .whole = true,
                        .progress = progress,
                        .deadline_us = clock_deadline_us(ACTIONS_SYNC_MS)};
    return run_sync(&sync, out, error);
}

/* ---- a quick look, for when something is said to be full: records whose message is gone
 * end at once. One that is missing may still be on its way into the queue, so the look is
 * repeated for as long as that can take, soon at first: mail waits for it ---- */

enum { LOOK_HELPER_MS = 10000 };

/* Between one list of the queue and the next; after the last what is missing is gone. */
static const int pauses_ms[] = {20, 100, 300, 600, 1000};
enum { PAUSES = sizeof pauses_ms / sizeof pauses_ms[0] };

/* How old a record is whose message has surely reached the queue. */
enum { SETTLED_MS = 10000 };

struct look_job {
    struct actions *actions;
    const struct local_holds *holds; /* as they were before the queue was listed */
    bool patient;                    /* young records may be waited for */
    size_t missing; /* records whose message is not there, and which stay */
    struct actions_sync *found;
};

static enum status compare(struct look_job *job, const struct queue *queue)
{
    int64_t settled_ms = clock_wall_ms() - SETTLED_MS;
    bool own = actions_names(job->actions) == ACTIONS_NAMES_OWN;
    struct endings endings = {.actions = job->actions};
    enum status status = STATUS_OK;
    job->missing = 0;
    for (size_t i = 0; i < job->holds->count; i++) {
        const struct local_hold *hold = &job->holds->items[i];
        const char *to = ending(hold, queue);
        if (to == NULL || strcmp(hold->state, "held") != 0)
            continue;
        if (!own || (job->patient && hold->held_ms > settled_ms))
            job->missing++;
        else if (status == STATUS_OK)
            status = end(&endings, hold, to);
    }
    if (status == STATUS_OK)
        status = end_all(&endings);
    job->found->ended += endings.ended;
    return status;
}

static enum status look(struct look_job *job, const struct settings *settings,
                        struct error *error)
{
    for (size_t i = 0;; i++) {
        struct queue queue = {0};
        job->patient = i < PAUSES;
        enum status status =
            queue_read(settings->mta.helper, LOOK_HELPER_MS, &queue, error);
        if (status != STATUS_OK)
            return status;
        status = compare(job, &queue);
        queue_clear(&queue);
        if (status != STATUS_OK)
            return error_set(error, status, "the store does not answer");
        if (job->missing == 0)
            return STATUS_OK;
        if (i == PAUSES)
            return error_set(error, STATUS_CONFLICT,
                             "some records may belong to another relay with this name");
        clock_sleep_ms(pauses_ms[i]);
    }
}

enum status actions_look(struct actions *actions, const struct settings *settings,
                         struct actions_sync *out, struct error *error)
{
    struct local_holds holds = {0};
    struct actions_sync found = {0};
    *error = (struct error){0};
    enum status status = local_holds_read(actions->ledger, actions->host,
                                          clock_deadline_us(ACTIONS_READ_MS), &holds);
    if (status != STATUS_OK)
        return actions_say_store(error, status);
    struct look_job job = {.actions = actions, .holds = &holds, .found = &found};
    status = look(&job, settings, error);
    local_holds_clear(&holds);
    if (status == STATUS_OK &&
        ledger_recount(actions->ledger, clock_deadline_us(ACTIONS_STORE_MS)) != STATUS_OK)
        status = error_set(error, STATUS_UNAVAILABLE, "the store does not answer");
    if (status == STATUS_OK)
        *out = found;
    return status;
}
