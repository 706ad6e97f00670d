/* Pulling back what was accepted: the MTA puts it on hold, and what it bears no mark for
 * is written down in a file. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "policy/address.h"
#include "policy/sender.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/pulled.h"
#include "quarantine/queue.h"

enum { REMEMBERED_AT_ONCE = 100 };

struct pulling {
    struct actions *actions;
    const struct settings *settings;
    const char *key;    /* of the brake */
    const char *sender; /* in it */
    struct actions_pull *pulled;
    struct pulled *fresh; /* not in the file yet */
    struct error *forgot; /* why the file could not be written; "": it could */
};

static bool is_sender(const struct pulling *pulling, const char *queued)
{
    struct address address;
    struct address first;
    const struct domains *own = &pulling->settings->policy.domains;
    if (!actions_canonical(pulling->settings, queued, &address))
        return false;
    return strcmp(address.text, pulling->sender) == 0 ||
           (sender_was_forwarded(&address, own, &first) &&
            strcmp(first.text, pulling->sender) == 0);
}

/* Writes down what was pulled since the last time. That this fails is no reason to let
 * mail go. */
static void remember(const struct pulling *pulling)
{
    struct pulled all = {0};
    struct pulled *fresh = pulling->fresh;
    const char *state_file = pulling->settings->store.state_file;
    if (fresh->count == 0)
        return;
    (void)pthread_mutex_lock(&pulling->actions->deciding);
    enum status status = pulled_read(state_file, &all, pulling->forgot);
    for (size_t i = 0; i < fresh->count && status == STATUS_OK; i++) {
        status = pulled_add(&all, &fresh->messages[i]);
        if (status != STATUS_OK)
            (void)error_set(pulling->forgot, status, "there are too many");
    }
    if (status == STATUS_OK)
        status = pulled_write(state_file, &all, pulling->forgot);
    (void)status; /* forgot says it */
    (void)pthread_mutex_unlock(&pulling->actions->deciding);
    pulled_clear(&all);
    pulled_clear(fresh);
}

/* Adds a message that is on hold by now to the records, and to the file. */
static void record(const struct pulling *pulling, const struct queue_message *message)
{
    char fingerprint[DIGEST_HEX_SIZE];
    struct hold hold;
    struct pulled_message pulled = {.arrived_ms = message->arrived_ms};
    static const struct digest_key no_secret;
    digest_hex(&no_secret, pulling->key, strlen(pulling->key), fingerprint);
    const struct event event = {.action = ACTION_QUARANTINE,
                                .rule = "brake",
                                .fingerprint = fingerprint,
                                .subject = pulling->key,
                                .identity = pulling->key,
                                .sender = message->sender,
                                .before = -1,
                                .reach = EVENT_REACH_UNKNOWN,
                                .copies = message->recipients,
                                .queue_id = message->queue_id,
                                .now_ms = clock_wall_ms(),
                                .pulled = true};
    ledger_hold(pulling->actions->ledger, pulling->settings, &event,
                actions_deadline_us(), &hold);
    if (hold.result == HOLD_KEPT)
        pulling->pulled->held++;
    else
        pulling->pulled->unrecorded++;
    (void)snprintf(pulled.queue_id, sizeof pulled.queue_id, "%s", message->queue_id);
    memcpy(pulled.id, hold.id, sizeof pulled.id);
    memcpy(pulled.incident, hold.incident, sizeof pulled.incident);
    enum status status = pulled_add(pulling->fresh, &pulled);
    if (status != STATUS_OK)
        (void)error_set(pulling->forgot, status, "out of memory");
    else if (pulling->fresh->count >= REMEMBERED_AT_ONCE)
        remember(pulling);
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
    if (status == STATUS_OK)
        record(pulling, message);
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
    struct pulled fresh = {0};
    struct error forgot = {0};
    struct queue queue = {0};
    *error = (struct error){0};
    if (strncmp(key, kind, sizeof kind - 1) != 0)
        return error_set(error, STATUS_INVALID,
                         "only the mail of a sender: can be pulled back");
    const struct pulling pulling = {.actions = actions,
                                    .settings = settings,
                                    .key = key,
                                    .sender = key + sizeof kind - 1,
                                    .pulled = &pulled,
                                    .fresh = &fresh,
                                    .forgot = &forgot};
    enum status status =
        queue_read(settings->mta.helper, ACTIONS_HELPER_MS, &queue, error);
    for (size_t i = 0; i < queue.count && status == STATUS_OK; i++) {
        if (!queue.messages[i].held && is_sender(&pulling, queue.messages[i].sender))
            status = pull(&pulling, &queue.messages[i], error);
    }
    remember(&pulling);
    if (status == STATUS_OK && forgot.text[0] != '\0')
        status = error_set(error, STATUS_IO,
                           "sync will not know it if the store loses its records: %s",
                           forgot.text);
    pulled_clear(&fresh);
    *out = pulled;
    queue_clear(&queue);
    return status;
}
