/* Collected from the helper's list, then sorted once. */
#include "quarantine/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "quarantine/helper.h"

static void add(void *context, const struct queued *queued)
{
    struct queue *queue = context;
    if (queue->count == QUEUE_MAX ||
        !array_reserve(&queue->messages, queue->count, sizeof *queue->messages)) {
        queue->failed = true;
        return;
    }
    char *id = arena_copy(&queue->strings, queued->queue_id, strlen(queued->queue_id));
    char *sender = arena_copy(&queue->strings, queued->sender, strlen(queued->sender));
    if (id == NULL || sender == NULL) {
        queue->failed = true;
        return;
    }
    queue->messages[queue->count++] =
        (struct queue_message){.queue_id = id,
                               .sender = sender,
                               .arrived_ms = (int64_t)queued->arrived_s * 1000,
                               .recipients = queued->recipients,
                               .held = strcmp(queued->queue, "hold") == 0};
}

static int compare(const void *left, const void *right)
{
    const struct queue_message *a = left;
    const struct queue_message *b = right;
    return strcmp(a->queue_id, b->queue_id);
}

enum status queue_read(const char *helper, int timeout_ms, struct queue *out,
                       struct error *error)
{
    struct queue queue = {0};
    enum status status = helper_list(helper, timeout_ms, add, &queue, error);
    if (status == STATUS_OK && queue.failed && queue.count == QUEUE_MAX)
        status = error_set(error, STATUS_LIMIT, "more than %d messages in the queue",
                           QUEUE_MAX);
    else if (status == STATUS_OK && queue.failed)
        status = error_set(error, STATUS_NOMEM, "out of memory");
    if (status != STATUS_OK) {
        queue_clear(&queue);
        return status;
    }
    if (queue.count > 1)
        qsort(queue.messages, queue.count, sizeof *queue.messages, compare);
    *out = queue;
    return STATUS_OK;
}

const struct queue_message *queue_find(const struct queue *queue, const char *queue_id)
{
    const struct queue_message key = {.queue_id = queue_id};
    if (queue->count == 0)
        return NULL;
    return bsearch(&key, queue->messages, queue->count, sizeof key, compare);
}

void queue_clear(struct queue *queue)
{
    free(queue->messages);
    arena_clear(&queue->strings);
    *queue = (struct queue){0};
}
