/* Reading the pointer and taking the reference are one critical section: else the last
 * reference could go between the two. */
#include "lists/current_snapshot.h"

enum status current_snapshot_init(struct current_snapshot *current)
{
    *current = (struct current_snapshot){.snapshot = NULL};
    return pthread_mutex_init(&current->lock, NULL) == 0 ? STATUS_OK : STATUS_NOMEM;
}

struct snapshot *current_snapshot_get(struct current_snapshot *current)
{
    pthread_mutex_lock(&current->lock);
    struct snapshot *snapshot = current->snapshot;
    if (snapshot != NULL)
        (void)snapshot_ref(snapshot);
    pthread_mutex_unlock(&current->lock);
    return snapshot;
}

struct snapshot *current_snapshot_pin(struct current_snapshot *current)
{
    pthread_mutex_lock(&current->lock);
    struct snapshot *snapshot = snapshot_ref(current->snapshot);
    atomic_fetch_add(&snapshot->pins, 1);
    pthread_mutex_unlock(&current->lock);
    return snapshot;
}

void current_snapshot_unpin(struct snapshot *snapshot)
{
    atomic_fetch_sub(&snapshot->pins, 1);
    snapshot_unref(snapshot);
}

bool current_snapshot_is_pinned(const struct snapshot *snapshot)
{
    return atomic_load(&snapshot->pins) > 0;
}

struct snapshot *current_snapshot_swap(struct current_snapshot *current,
                                       struct snapshot *snapshot)
{
    pthread_mutex_lock(&current->lock);
    struct snapshot *old = current->snapshot;
    current->snapshot = snapshot;
    pthread_mutex_unlock(&current->lock);
    return old;
}

void current_snapshot_clear(struct current_snapshot *current)
{
    snapshot_unref(current_snapshot_swap(current, NULL));
    pthread_mutex_destroy(&current->lock);
}
