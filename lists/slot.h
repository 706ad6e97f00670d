/* The place where the current snapshot is: readers take it, the reload thread swaps it.
 */
#ifndef LISTS_SLOT_H
#define LISTS_SLOT_H

#include <pthread.h>
#include <stdbool.h>

#include "base/status.h"
#include "lists/snapshot.h"

struct slot {
    pthread_mutex_t lock;
    struct snapshot *current; /* holds a reference; NULL: none yet */
};

/* NOMEM when the system has no lock to give. */
enum status slot_init(struct slot *slot) MUST_CHECK;

/* The current snapshot with a reference for the caller, or NULL. */
struct snapshot *slot_get(struct slot *slot);

/* The same for judging a message, which is short. Whoever swaps the snapshot out waits
 * until it is not pinned, so that the work of freeing it is kept off the mail path; other
 * references may last, and free it. There must be one. */
struct snapshot *slot_pin(struct slot *slot);
void slot_unpin(struct snapshot *snapshot);
bool slot_is_pinned(const struct snapshot *snapshot);

/* Puts a snapshot in, its reference taken over; returns the one before, whose reference
 * is now the caller's, or NULL. */
struct snapshot *slot_swap(struct slot *slot, struct snapshot *snapshot);

/* Drops what it holds. Nobody may use the slot any more. */
void slot_clear(struct slot *slot);

#endif
