/* Which messages of the queue a brake pulled back. They bear no hold header, so without
 * this file, beside the state file, nobody knew them if the store lost its records. */
#ifndef QUARANTINE_PULLED_H
#define QUARANTINE_PULLED_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/queue_id.h"
#include "base/status.h"

enum { PULLED_MAX = 20000, PULLED_QUEUE_ID_SIZE = QUEUE_ID_MAX + 1 };

/* Queue ids are used again: one with its time of arrival is a message. */
struct pulled_message {
    char queue_id[PULLED_QUEUE_ID_SIZE];
    int64_t arrived_ms;
    char id[DIGEST_ID_SIZE]; /* of its hold */
    char incident[DIGEST_ID_SIZE];
};

/* Zero-initialise. */
struct pulled {
    struct pulled_message *messages;
    size_t count;
};

/* LIMIT past PULLED_MAX; NOMEM. */
enum status pulled_add(struct pulled *pulled,
                       const struct pulled_message *message) MUST_CHECK;

/* NULL when it is not there. */
const struct pulled_message *pulled_find(const struct pulled *pulled,
                                         const char *queue_id, int64_t arrived_ms);
void pulled_clear(struct pulled *pulled);

/* state_file: of the settings; "": there is no file, and nothing is kept. What is damaged
 * in the file is left out. NOMEM, or IO with the system's words; then *out, or the file,
 * is as before. */
enum status pulled_read(const char *state_file, struct pulled *out,
                        struct error *error) MUST_CHECK;
enum status pulled_write(const char *state_file, const struct pulled *pulled,
                         struct error *error) MUST_CHECK;

#endif
