/* Holds the current snapshot: readers take a reference, the reload thread swaps it. */
#ifndef LISTS_CURRENT_SNAPSHOT_H
#define LISTS_CURRENT_SNAPSHOT_H

#include <pthread.h>
#include <stdbool.h>

#include "base/status.h"
#include "lists/snapshot.h"

struct current_snapshot {
    pthread_mutex_t lock;
    struct snapshot *snapshot; /* holds a reference; NULL: none yet */
};

/* NOMEM when the system has no lock to give. */
enum status current_snapshot_init(struct current_snapshot *current) MUST_CHECK;

/* The current snapshot with a reference for the caller, or NULL. */
struct snapshot *current_snapshot_get(struct current_snapshot *current);

/* The same for judging a message, which takes little time. The thread that swaps the
 * snapshot out waits until it is not pinned, so that freeing it is kept off the mail
 * path; other references may outlast that, and free it. There must be a current snapshot.
 */
struct snapshot *current_snapshot_pin(struct current_snapshot *current);
void current_snapshot_unpin(struct snapshot *snapshot);
bool current_snapshot_is_pinned(const struct snapshot *snapshot);

/* Puts a snapshot in, its reference taken over; returns the one before, whose reference
 * is now the caller's, or NULL. */
struct snapshot *current_snapshot_swap(struct current_snapshot *current,
                                       struct snapshot *snapshot);

/* Drops what it holds. Nobody may use it any more. */
void current_snapshot_clear(struct current_snapshot *current);

#endif
