/* The messages in the queue that a brake pulled back. They have no hold header, so this
 * file, beside the state file, is what identifies them if the store loses its records. */
#ifndef QUARANTINE_RECALLED_H
#define QUARANTINE_RECALLED_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/queue_id.h"
#include "base/status.h"

enum { RECALLED_MAX = 20000, RECALLED_QUEUE_ID_SIZE = QUEUE_ID_MAX + 1 };

/* Queue ids are reused: only together with the arrival time do they identify a message.
 */
struct recalled_message {
    char queue_id[RECALLED_QUEUE_ID_SIZE];
    int64_t arrived_ms;
    char id[DIGEST_ID_SIZE]; /* of its hold */
    char incident[DIGEST_ID_SIZE];
};

/* Zero-initialise. */
struct recalled {
    struct recalled_message *messages;
    size_t count;
};

/* LIMIT past RECALLED_MAX; NOMEM. */
enum status recalled_add(struct recalled *recalled,
                         const struct recalled_message *message) MUST_CHECK;

/* NULL when it is not there. */
const struct recalled_message *recalled_find(const struct recalled *recalled,
                                             const char *queue_id, int64_t arrived_ms);
void recalled_clear(struct recalled *recalled);

/* state_file: of the settings; "": there is no file. Damaged lines are skipped. NOMEM, or
 * IO with the system's error; *out, or the file, is then unchanged. */
enum status recalled_read(const char *state_file, struct recalled *out,
                          struct error *error) MUST_CHECK;
enum status recalled_write(const char *state_file, const struct recalled *recalled,
                           struct error *error) MUST_CHECK;

#endif
