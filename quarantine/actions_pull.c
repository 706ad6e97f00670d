/* Pulling back what was accepted: the MTA puts it on hold, and what it bears no hold
 * header for is written down in a file. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/smtp_address.h"
#include "policy/message.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/queue.h"
#include "quarantine/recalled.h"

enum { REMEMBERED_AT_ONCE = 100 };

struct pull_job {
    struct actions *actions;
    const struct settings *settings;
    const struct brake *brake;
    int64_t now_ms;
    struct actions_pull *found;
    struct recalled *fresh; /* not in the file yet */
    struct error *forgot;   /* why the file could not be written; "": it could */
};

/* Messages of one batch. */
struct batch {
    const struct queue_message *messages[HELPER_BATCH_MAX];
    struct helper_order orders[HELPER_BATCH_MAX];
    char checks[HELPER_BATCH_MAX][40];
    size_t count;
};

bool actions_can_pull(const struct brake *brake)
{
    return brake->key.kind == BRAKE_LOGIN || brake->key.kind == BRAKE_SENDER ||
           brake->key.kind == BRAKE_CLIENT;
}

/* Judged as when it came. What the queue does not show of a sender, stands for any byte
 * there. */
static bool is_stopped(const struct pull_job *job, const struct envelope *envelope)
{
    struct facts facts;
    struct brake copy = *job->brake;
    const struct brakes brakes = {.items = &copy, .count = 1};
    facts_guess(envelope, &job->settings->policy, &facts);
    if (brake_find(&brakes, &facts, NULL, job->now_ms) != NULL)
        return true;
    return copy.key.kind == BRAKE_SENDER &&
           smtp_address_is_shown(text_after(copy.key.text, "sender:"), facts.sender.text);
}

/* A look at a message's envelope tells login and client. False when it can't be read. */
static bool is_stopped_by_look(const struct pull_job *job, const char *value)
{
    const char *sender, *login, *client;
    int local;
    json_t *json = json_loads(value, 0, NULL);
    bool read = json_unpack(json, "{s:s, s:s, s:s, s:b}", "sender", &sender, "login",
                            &login, "client", &client, "local", &local) == 0;
    const struct envelope envelope = {.sender = read ? sender : "",
                                      .login = read ? login : "",
                                      .client = read ? client : NULL,
                                      .local = read && local != 0};
    bool stopped = read && is_stopped(job, &envelope);
    json_decref(json);
    return stopped;
}

/* Writes down what was recalled since the last time. That this fails is no reason to let
 * mail go. */
static void remember(const struct pull_job *job)
{
    struct recalled all = {0};
    struct recalled *fresh = job->fresh;
    const char *state_file = job->settings->store.state_file;
    if (fresh->count == 0)
        return;
    (void)pthread_mutex_lock(&job->actions->deciding);
    enum status status = recalled_read(state_file, &all, job->forgot);
    for (size_t i = 0; i < fresh->count && status == STATUS_OK; i++) {
        status = recalled_add(&all, &fresh->messages[i]);
        if (status != STATUS_OK)
            (void)error_set(job->forgot, status, "there are too many");
    }
    if (status == STATUS_OK)
        status = recalled_write(state_file, &all, job->forgot);
    (void)status; /* forgot says it */
    (void)pthread_mutex_unlock(&job->actions->deciding);
    recalled_clear(&all);
    recalled_clear(fresh);
}

/* Adds a message that is on hold by now to the records, and to the file. */
static void record(const struct pull_job *job, const struct queue_message *message)
{
    char fingerprint[DIGEST_HEX_SIZE];
    struct hold hold;
    const char *key = job->brake->key.text;
    struct recalled_message recalled = {.arrived_ms = message->arrived_ms};
    static const struct digest_key no_secret;
    digest_hex(&no_secret, key, strlen(key), fingerprint);
    const struct event event = {.action = ACTION_QUARANTINE,
                                .rule = "brake",
                                .fingerprint = fingerprint,
                                .subject = key,
                                .identity = key,
                                .sender = message->sender,
                                .before = -1,
                                .reach = EVENT_REACH_UNKNOWN,
                                .copies = message->recipients,
                                .queue_id = message->queue_id,
                                .now_ms = clock_wall_ms(),
                                .arrived_s = message->arrived_ms / 1000,
                                .recalled = true};
    ledger_hold(job->actions->ledger, job->settings, &event,
                clock_deadline_us(ACTIONS_STORE_MS), &hold);
    if (hold.result == HOLD_KEPT)
        job->found->held++;
    else
        job->found->unrecorded++;
    (void)snprintf(recalled.queue_id, sizeof recalled.queue_id, "%s", message->queue_id);
    memcpy(recalled.id, hold.id, sizeof recalled.id);
    memcpy(recalled.incident, hold.incident, sizeof recalled.incident);
    enum status status = recalled_add(job->fresh, &recalled);
    if (status != STATUS_OK)
        (void)error_set(job->forgot, status, "out of memory");
    else if (job->fresh->count >= REMEMBERED_AT_ONCE)
        remember(job);
}

/* Leaves in the batch those that the brake stops, by a look at each. */
static enum status sift(const struct pull_job *job, struct batch *batch,
                        struct error *error)
{
    size_t kept = 0;
    enum status status =
        helper_do(job->settings->mta.helper, clock_deadline_us(ACTIONS_HELPER_MS),
                  "envelope", batch->orders, batch->count, NULL, error);
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
        const struct helper_order *order = &batch->orders[i];
        if (order->status == STATUS_OK && is_stopped_by_look(job, order->value))
            batch->messages[kept++] = batch->messages[i];
        else if (order->status != STATUS_OK && order->status != STATUS_NOT_FOUND)
            job->found->failed++;
    }
    for (size_t i = 0; i < batch->count; i++)
        free(batch->orders[i].value);
    memset(batch->orders, 0, sizeof batch->orders);
    batch->count = kept;
    return status;
}

/* A message is asked for by when it came, whatever its sender looks like. A helper that
 * does not answer ends it; what was delivered meanwhile does not. */
static enum status pull(const struct pull_job *job, struct batch *batch,
                        struct error *error)
{
    enum status status = STATUS_OK;
    if (job->brake->key.kind != BRAKE_SENDER)
        status = sift(job, batch, error);
    for (size_t i = 0; i < batch->count; i++) {
        (void)snprintf(batch->checks[i], sizeof batch->checks[i], "arrived=%lld",
                       (long long)(batch->messages[i]->arrived_ms / 1000));
        batch->orders[i].queue_id = batch->messages[i]->queue_id;
        batch->orders[i].check = batch->checks[i];
    }
    if (status == STATUS_OK)
        status =
            helper_do(job->settings->mta.helper, clock_deadline_us(ACTIONS_HELPER_MS),
                      "hold", batch->orders, batch->count, NULL, error);
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
        if (batch->orders[i].status == STATUS_OK)
            record(job, batch->messages[i]);
        else if (batch->orders[i].status != STATUS_NOT_FOUND)
            job->found->failed++;
    }
    memset(batch->orders, 0, sizeof batch->orders);
    batch->count = 0;
    return status;
}

/* What the queue's list tells of a message is enough for a sender; for the rest each is
 * looked at. */
static bool is_candidate(const struct pull_job *job, const struct queue_message *message)
{
    const struct envelope envelope = {.sender = message->sender};
    return !message->held &&
           (job->brake->key.kind != BRAKE_SENDER || is_stopped(job, &envelope));
}

static enum status pull_all(const struct pull_job *job, const struct queue *queue,
                            const struct actions_progress *progress, struct error *error)
{
    enum status status = STATUS_OK;
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    for (size_t i = 0; i < queue->count && status == STATUS_OK; i++) {
        const struct queue_message *message = &queue->messages[i];
        if (is_candidate(job, message)) {
            batch->orders[batch->count].queue_id = message->queue_id;
            batch->messages[batch->count++] = message;
        }
        if (batch->count == HELPER_BATCH_MAX ||
            (batch->count > 0 && i + 1 == queue->count)) {
            status = pull(job, batch, error);
            actions_tell(progress, i + 1, queue->count);
        }
    }
    free(batch);
    return status;
}

static enum status check_brake(const struct settings *settings, const struct brake *brake,
                               struct error *error)
{
    if (!actions_can_pull(brake))
        return error_set(
            error, STATUS_INVALID,
            "only the mail of a login:, a sender: or a client: can be pulled back");
    if (brake->key.kind == BRAKE_LOGIN && settings->mta.type == MTA_SENDMAIL)
        return error_set(error, STATUS_INVALID,
                         "Sendmail's queue does not say who logged in: pull back the "
                         "mail of a sender: or a client:");
    return STATUS_OK;
}

enum status actions_pull_back(struct actions *actions, const struct settings *settings,
                              const struct brake *brake,
                              const struct actions_progress *progress,
                              struct actions_pull *out, struct error *error)
{
    struct actions_pull found = {0};
    struct recalled fresh = {0};
    struct error forgot = {0};
    struct queue queue = {0};
    *error = (struct error){0};
    const struct pull_job job = {.actions = actions,
                                 .settings = settings,
                                 .brake = brake,
                                 .now_ms = clock_wall_ms(),
                                 .found = &found,
                                 .fresh = &fresh,
                                 .forgot = &forgot};
    enum status status = check_brake(settings, brake, error);
    if (status == STATUS_OK)
        status = queue_read(settings->mta.helper, ACTIONS_HELPER_MS, &queue, error);
    if (status == STATUS_OK)
        status = pull_all(&job, &queue, progress, error);
    remember(&job);
    if (status == STATUS_OK && forgot.text[0] != '\0')
        status = error_set(error, STATUS_IO,
                           "sync will not know it if the store loses its records: %s",
                           forgot.text);
    recalled_clear(&fresh);
    *out = found;
    queue_clear(&queue);
    return status;
}
