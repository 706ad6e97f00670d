/* The whole queue against the whole ledger. Records are read before the queue is listed:
 * what is decided meanwhile has another state by then, and ledger_move says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "policy/address.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/queue.h"
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
    json_t *holds; /* all records, an array */
    json_t *by_id; /* the same records, by their ids */
    struct actions_sync *found;
};

/* The mark that is ours: the last one, since ours is added behind what came in. */
static const char *last_line(char *marks)
{
    size_t length = strlen(marks);
    while (length > 0 && (marks[length - 1] == '\n' || marks[length - 1] == '\r'))
        marks[--length] = '\0';
    const char *newline = strrchr(marks, '\n');
    return newline == NULL ? marks : newline + 1;
}

/* The id of "id=... rule=..."; "" when there is none. */
static void mark_id(const char *mark, char out[ID_SIZE])
{
    const char *id = strstr(mark, "id=");
    out[0] = '\0';
    if (id == NULL || (id != mark && id[-1] != ' '))
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

static enum status restore(struct syncing *syncing, const char *mark,
                           const struct queue_message *message)
{
    enum status status =
        ledger_restore(syncing->actions->ledger, mark, message->queue_id, message->sender,
                       message->arrived_ms, actions_deadline_us());
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

/* A message without a mark: one that a brake pulled back has a record all the same. */
static void take_unmarked(struct syncing *syncing, const struct queue_message *message)
{
    size_t i;
    const json_t *hold;
    json_array_foreach(syncing->holds, i, hold)
    {
        if (is_ours(syncing, hold) && actions_is_pulled(hold) &&
            is_record_of(hold, message) &&
            strcmp(record_text(hold, "state"), "held") == 0) {
            syncing->found->known++;
            return;
        }
    }
    syncing->found->foreign++;
}

static enum status take_marked(struct syncing *syncing, const char *mark,
                               const struct queue_message *message)
{
    char id[ID_SIZE];
    mark_id(mark, id);
    const json_t *hold = json_object_get(syncing->by_id, id);
    if (hold == NULL || !is_ours(syncing, hold) || !is_record_of(hold, message))
        return restore(syncing, mark, message);
    if (strcmp(record_text(hold, "state"), "held") == 0) {
        syncing->found->known++;
        return STATUS_OK;
    }
    enum status status = hold_again(syncing, hold);
    if (status == STATUS_OK)
        syncing->found->restored++;
    return status;
}

/* NOMEM and UNAVAILABLE end the sync; a message that can't be looked at does not. */
static enum status take_message(struct syncing *syncing,
                                const struct queue_message *message, struct error *error)
{
    char *marks = NULL;
    enum status status = helper_header(syncing->settings->mta.helper, ACTIONS_HELPER_MS,
                                       message->queue_id, &marks, error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* decided meanwhile */
    syncing->found->in_queue++;
    if (status == STATUS_INVALID || status == STATUS_IO) {
        syncing->found->failed++;
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    const char *mark = last_line(marks);
    if (mark[0] == '\0')
        take_unmarked(syncing, message);
    else
        status = take_marked(syncing, mark, message);
    free(marks);
    if (status == STATUS_UNAVAILABLE)
        return error_set(error, status, "the store does not answer");
    if (status != STATUS_OK && status != STATUS_NOMEM)
        syncing->found->failed++;
    return status == STATUS_NOMEM ? error_set(error, status, "out of memory") : STATUS_OK;
}

/* ---- sync: what the records say that the queue has not ---- */

/* What a record becomes; NULL when it is to stay. */
static const char *ending(const json_t *hold, const struct queue *queue)
{
    const char *state = record_text(hold, "state");
    const char *after = actions_state_after(state);
    bool held = strcmp(state, "held") == 0;
    if (!held && after == NULL)
        return NULL; /* over */
    const struct queue_message *message =
        queue_find(queue, record_text(hold, "queue_id"));
    if (message != NULL && message->held)
        return NULL;
    if (!held)
        return after;
    return message == NULL ? "gone" : "released"; /* by hand, and on its way */
}

static enum status end_records(struct syncing *syncing, const struct queue *queue)
{
    size_t i;
    const json_t *hold;
    json_array_foreach(syncing->holds, i, hold)
    {
        const char *to = is_ours(syncing, hold) ? ending(hold, queue) : NULL;
        if (to == NULL)
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
        const struct timespec wait = {.tv_sec = YOUNG_WAIT_S};
        (void)nanosleep(&wait, NULL);
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
    enum status status = ledger_holds(syncing->actions->ledger, true,
                                      actions_deadline_us(), &syncing->holds);
    if (status != STATUS_OK)
        return error_set(error, status, "the store does not answer");
    syncing->by_id = json_object();
    json_array_foreach(syncing->holds, i, hold)
    {
        if (json_object_set(syncing->by_id, record_text(hold, "id"), hold) != 0)
            return error_set(error, STATUS_NOMEM, "out of memory");
    }
    return STATUS_OK;
}

enum status actions_sync(struct actions *actions, const struct settings *settings,
                         struct actions_sync *out, struct error *error)
{
    struct actions_sync found = {0};
    struct syncing syncing = {.actions = actions, .settings = settings, .found = &found};
    struct queue queue = {0};
    *error = (struct error){0};
    enum status status = read_records(&syncing, error);
    if (status == STATUS_OK)
        status = queue_read(settings->mta.helper, ACTIONS_HELPER_MS, &queue, error);
    for (size_t i = 0; i < queue.count && status == STATUS_OK; i++) {
        if (queue.messages[i].held)
            status = take_message(&syncing, &queue.messages[i], error);
    }
    if (status == STATUS_OK)
        status = end_missing(&syncing, &queue, error);
    if (status == STATUS_OK)
        *out = found;
    queue_clear(&queue);
    json_decref(syncing.by_id);
    json_decref(syncing.holds);
    return status;
}

/* ---- pulling back ---- */

struct pulling {
    struct actions *actions;
    const struct settings *settings;
    const char *key;    /* of the brake */
    const char *sender; /* in it */
    struct actions_pull *pulled;
};

/* As facts have a sender: canonical, and ours without its tag. */
static bool is_sender(const struct pulling *pulling, const char *queued)
{
    struct address address;
    const struct domains *own = &pulling->settings->policy.domains;
    if (address_parse(queued, strlen(queued), &address) != STATUS_OK)
        return false;
    if (domains_first(own) != NULL &&
        address_qualify(&address, domains_first(own)) != STATUS_OK)
        return false;
    if (address_is_own(&address, own))
        (void)address_remove_tag(&address, own->delimiters);
    return strcmp(address.text, pulling->sender) == 0;
}

static enum status record(const struct pulling *pulling,
                          const struct queue_message *message)
{
    char fingerprint[DIGEST_HEX_SIZE];
    struct hold hold;
    static const struct digest_key no_secret;
    digest_hex(&no_secret, pulling->key, strlen(pulling->key), fingerprint);
    const struct event event = {.action = ACTION_QUARANTINE,
                                .rule = "brake",
                                .fingerprint = fingerprint,
                                .subject = pulling->key,
                                .identity = pulling->key,
                                .sender = message->sender,
                                .queue_id = message->queue_id,
                                .now_ms = clock_wall_ms()};
    ledger_hold(pulling->actions->ledger, pulling->settings, &event,
                actions_deadline_us(), &hold);
    return hold.result == HOLD_KEPT ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* A helper that does not answer ends it; what was delivered meanwhile does not. */
static enum status pull(const struct pulling *pulling,
                        const struct queue_message *message, struct error *error)
{
    struct text wanted = {0};
    text_add_string(&wanted, "sender=");
    text_add_string(&wanted, message->sender[0] == '\0' ? "<>" : message->sender);
    enum status status =
        wanted.failed
            ? error_set(error, STATUS_NOMEM, "out of memory")
            : helper_order(pulling->settings->mta.helper, ACTIONS_HELPER_MS, "hold",
                           message->queue_id, text_string(&wanted), error);
    text_clear(&wanted);
    if (status == STATUS_NOMEM || status == STATUS_UNAVAILABLE)
        return status;
    if (status == STATUS_OK && record(pulling, message) == STATUS_OK)
        pulling->pulled->held++;
    else if (status == STATUS_OK)
        pulling->pulled->unrecorded++;
    else if (status != STATUS_NOT_FOUND)
        pulling->pulled->failed++;
    return STATUS_OK;
}

enum status actions_pull_back(struct actions *actions, const struct settings *settings,
                              const char *key, struct actions_pull *out,
                              struct error *error)
{
    static const char kind[] = "sender:";
    struct actions_pull pulled = {0};
    struct queue queue = {0};
    *error = (struct error){0};
    if (strncmp(key, kind, sizeof kind - 1) != 0)
        return error_set(error, STATUS_INVALID,
                         "only the mail of a sender: can be pulled back");
    const struct pulling pulling = {.actions = actions,
                                    .settings = settings,
                                    .key = key,
                                    .sender = key + sizeof kind - 1,
                                    .pulled = &pulled};
    enum status status =
        queue_read(settings->mta.helper, ACTIONS_HELPER_MS, &queue, error);
    for (size_t i = 0; i < queue.count && status == STATUS_OK; i++) {
        if (!queue.messages[i].held && is_sender(&pulling, queue.messages[i].sender))
            status = pull(&pulling, &queue.messages[i], error);
    }
    *out = pulled;
    queue_clear(&queue);
    return status;
}
