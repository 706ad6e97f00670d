/* A copy of the MTA's queue in memory, as the helper lists it, to look messages up. */
#ifndef QUARANTINE_QUEUE_H
#define QUARANTINE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum { QUEUE_MAX = 200000 }; /* messages */

struct queue_message {
    const char *queue_id;
    const char *sender; /* "" is <> */
    int64_t arrived_ms;
    int64_t recipients; /* still undelivered, after the MTA's expansion */
    bool held;
};

/* Zero-initialise; strings are its own. */
struct queue {
    struct queue_message *messages; /* by queue_id, strcmp(3) order */
    size_t count;
    struct arena strings;
    bool failed;
};

/* helper: as helper_list. Its failures, NOMEM, or LIMIT for too many messages; then *out
 * is empty. */
enum status queue_read(const char *helper, int timeout_ms, struct queue *out,
                       struct error *error) MUST_CHECK;

/* NULL when it is not in the queue. */
const struct queue_message *queue_find(const struct queue *queue, const char *queue_id);
void queue_clear(struct queue *queue);

#endif
