/* Room in the file system of the MTA's queue: a flood of held mail must not fill it. */
#ifndef DAEMON_ROOM_H
#define DAEMON_ROOM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct room {
    pthread_mutex_t mutex;
    struct text folder; /* of the queue; empty: not known */
};

enum status room_init(struct room *room) MUST_CHECK;

/* Asks mailbrake-mta where the queue is. UNAVAILABLE when it does not answer in time,
 * INVALID with its error, IO when there is no such folder here: quarantine.min_free then
 * can't be checked. On failure the last known folder stays. */
enum status room_ask(struct room *room, const char *helper, int timeout_ms,
                     struct error *error) MUST_CHECK;

/* True when at least min_free_bytes are free there, or when that is unknown: the MTA
 * reports a hold that fails. */
bool room_is_left(struct room *room, int64_t min_free_bytes);

#endif
