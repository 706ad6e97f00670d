/* A quick look at the queue, for when something is said to be full: records whose message
 * is gone end at once. One that is missing may be on its way into the queue still, so the
 * look is repeated for as long as that can take, soon at first: mail waits for it. */

#include <string.h>

#include "base/clock.h"
#include "quarantine/actions_parts.h"
#include "quarantine/local_holds.h"
#include "quarantine/queue.h"

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
        if (strcmp(hold->state, "held") != 0)
            continue;
        const struct queue_message *message = queue_find(queue, hold->queue_id);
        if (message != NULL && message->held)
            continue;
        if (!own || (job->patient && hold->held_ms > settled_ms))
            job->missing++;
        else if (status == STATUS_OK)
            status = actions_end(&endings, hold, message == NULL ? "gone" : "released");
    }
    if (status == STATUS_OK)
        status = actions_end_all(&endings);
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
    enum status status =
        local_holds_read(actions->ledger, actions->host,
                         clock_monotonic_us() + ACTIONS_READ_MS * INT64_C(1000), &holds);
    if (status != STATUS_OK)
        return actions_say_store(error, status);
    struct look_job job = {.actions = actions, .holds = &holds, .found = &found};
    status = look(&job, settings, error);
    local_holds_clear(&holds);
    if (status == STATUS_OK &&
        ledger_recount(actions->ledger, actions_deadline_us()) != STATUS_OK)
        status = error_set(error, STATUS_UNAVAILABLE, "the store does not answer");
    if (status == STATUS_OK)
        *out = found;
    return status;
}
