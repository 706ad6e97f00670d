/* A quick look at the queue, for when something is said to be full: records whose message
 * is gone end at once. One that is missing may be on its way into the queue still, so the
 * look is repeated for as long as that can take, soon at first: mail waits for it. */

#include <string.h>

#include "base/clock.h"
#include "quarantine/actions_parts.h"
#include "quarantine/queue.h"
#include "quarantine/record.h"

enum { LOOK_HELPER_MS = 10000 };

/* Between one list of the queue and the next; after the last what is missing is gone. */
static const int pauses_ms[] = {20, 100, 300, 600, 1000};
enum { PAUSES = sizeof pauses_ms / sizeof pauses_ms[0] };

/* How old a record is whose message has surely reached the queue. */
enum { SETTLED_MS = 10000 };

struct looking {
    struct actions *actions;
    const json_t *holds; /* as they were before the queue was listed */
    bool patient;        /* young records may be waited for */
    size_t missing;      /* records whose message is not there, and which stay */
    struct actions_sync *found;
};

/* CONFLICT and NOT_FOUND: somebody decided about it meanwhile. */
static enum status end(struct looking *looking, const json_t *hold, const char *to)
{
    struct actions *actions = looking->actions;
    (void)pthread_mutex_lock(&actions->deciding);
    enum status status = ledger_move(actions->ledger, record_text(hold, "id"), "held", to,
                                     actions_deadline_us());
    (void)pthread_mutex_unlock(&actions->deciding);
    if (status == STATUS_OK)
        looking->found->ended++;
    return status == STATUS_CONFLICT || status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool is_young(const json_t *hold)
{
    int64_t held_ms = record_parse_time(record_text(hold, "held_at"));
    return clock_wall_ms() - held_ms < SETTLED_MS;
}

static enum status compare(struct looking *looking, const struct queue *queue)
{
    size_t i;
    const json_t *hold;
    bool own = actions_names(looking->actions) == ACTIONS_NAMES_OWN;
    enum status status = STATUS_OK;
    looking->missing = 0;
    json_array_foreach(looking->holds, i, hold)
    {
        if (strcmp(record_text(hold, "host"), looking->actions->host) != 0 ||
            strcmp(record_text(hold, "state"), "held") != 0)
            continue;
        const struct queue_message *message =
            queue_find(queue, record_text(hold, "queue_id"));
        if (message != NULL && message->held)
            continue;
        if (!own || (looking->patient && is_young(hold)))
            looking->missing++;
        else if (status == STATUS_OK)
            status = end(looking, hold, message == NULL ? "gone" : "released");
    }
    return status;
}

static enum status look(struct looking *looking, const struct settings *settings,
                        struct error *error)
{
    for (size_t i = 0;; i++) {
        struct queue queue = {0};
        looking->patient = i < PAUSES;
        enum status status =
            queue_read(settings->mta.helper, LOOK_HELPER_MS, &queue, error);
        if (status != STATUS_OK)
            return status;
        status = compare(looking, &queue);
        queue_clear(&queue);
        if (status != STATUS_OK)
            return error_set(error, status, "the store does not answer");
        if (looking->missing == 0)
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
    json_t *holds = NULL;
    struct actions_sync found = {0};
    *error = (struct error){0};
    enum status status = actions_read_holds(actions, false, &holds);
    if (status != STATUS_OK)
        return error_set(error, status, "the store does not answer");
    struct looking looking = {.actions = actions, .holds = holds, .found = &found};
    status = look(&looking, settings, error);
    json_decref(holds);
    if (status == STATUS_OK &&
        ledger_recount(actions->ledger, actions_deadline_us()) != STATUS_OK)
        status = error_set(error, STATUS_UNAVAILABLE, "the store does not answer");
    if (status == STATUS_OK)
        *out = found;
    return status;
}
