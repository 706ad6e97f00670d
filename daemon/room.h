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

/* Asks mailbrake-mta where the queue is. UNAVAILABLE when it does not answer in time;
 * INVALID with its words, or IO when there is no such folder here: then
 * quarantine.min_free can't be checked. What was known before stays. */
enum status room_ask(struct room *room, const char *helper, int timeout_ms,
                     struct error *error) MUST_CHECK;

/* True when at least so much is free there, or when that can't be found out: a hold that
 * fails is the MTA's to tell. */
bool room_is_left(struct room *room, int64_t min_free_bytes);

#endif
