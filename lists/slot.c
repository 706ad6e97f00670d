/* Reading the pointer and taking the reference are one critical section: else the last
 * reference could go between the two. */
#include "lists/slot.h"

enum status slot_init(struct slot *slot)
{
    *slot = (struct slot){.current = NULL};
    return pthread_mutex_init(&slot->lock, NULL) == 0 ? STATUS_OK : STATUS_NOMEM;
}

struct snapshot *slot_get(struct slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    struct snapshot *snapshot = slot->current;
    if (snapshot != NULL)
        (void)snapshot_ref(snapshot);
    pthread_mutex_unlock(&slot->lock);
    return snapshot;
}

struct snapshot *slot_pin(struct slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    struct snapshot *snapshot = snapshot_ref(slot->current);
    atomic_fetch_add(&snapshot->pins, 1);
    pthread_mutex_unlock(&slot->lock);
    return snapshot;
}

void slot_unpin(struct snapshot *snapshot)
{
    atomic_fetch_sub(&snapshot->pins, 1);
    snapshot_unref(snapshot);
}

bool slot_is_pinned(const struct snapshot *snapshot)
{
    return atomic_load(&snapshot->pins) > 0;
}

struct snapshot *slot_swap(struct slot *slot, struct snapshot *snapshot)
{
    pthread_mutex_lock(&slot->lock);
    struct snapshot *old = slot->current;
    slot->current = snapshot;
    pthread_mutex_unlock(&slot->lock);
    return old;
}

void slot_clear(struct slot *slot)
{
    snapshot_unref(slot_swap(slot, NULL));
    pthread_mutex_destroy(&slot->lock);
}
