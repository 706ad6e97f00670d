/* The current snapshot's life: the first load, reloads, and lists read again when they
 * are due. Snapshots are built and freed here, never where a message waits. */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include <pthread.h>

#include "base/problems.h"
#include "lists/catalog.h"
#include "lists/current_snapshot.h"

/* Zero-initialise, then reload_first. */
struct reload {
    pthread_mutex_t lock; /* one load at a time; guards what follows */
    pthread_cond_t loaded;
    unsigned loads;   /* how often the configuration was loaded */
    const char *path; /* of the configuration */
    struct current_snapshot *current;
    struct catalog *catalog;
    struct problems
        reported; /* by the last refresh, so that a fault is not logged each time */
    int64_t reported_at_us; /* when all of them were logged */
    pthread_mutex_t
        failure_mutex;       /* guards what follows; a leaf, never held during a load */
    struct problems failure; /* of the last reload, empty when it went well */
    int64_t failed_at_ms;    /* wall time; 0: it went well */
};

/* Loads the configuration into current, which is empty; both borrowed for the life of
 * *reload. Problems are logged. */
enum status reload_first(struct reload *reload, const char *path,
                         struct current_snapshot *current) MUST_CHECK;

/* Loads the configuration again; on failure the old one stays. Problems are logged and
 * handed over to out_problems, which may be NULL. */
enum status reload_now(struct reload *reload, struct problems *out_problems) MUST_CHECK;

/* Makes the snapshot anew from the catalog and the files that are due; the caller holds
 * the lock. problems: what is known to be wrong already, taken over and logged. */
void reload_refresh(struct reload *reload, struct problems *problems);

/* True when the next refresh logs all that is wrong, not only what is new: hourly. The
 * caller holds the lock. */
bool reload_is_report_due(const struct reload *reload);

/* Accepts the size of a list that jumped, or with NULL of all of them, and makes the
 * snapshot anew. NOT_FOUND when it did not jump; NOMEM. */
enum status reload_accept(struct reload *reload, const char *address,
                          struct list_jumps *out) MUST_CHECK;

/* As jumps_to_notify and jumps_set_notified, under the lock; what goes wrong with the
 * latter is logged. */
enum status reload_jumps_to_notify(struct reload *reload, int64_t wanted,
                                   struct list_jumps *out,
                                   int64_t *out_notified) MUST_CHECK;
void reload_jumps_notified(struct reload *reload, const struct list_jumps *list,
                           int64_t notified);

/* Waits until the configuration is loaded again, at most wait_ms; the caller holds the
 * lock. */
void reload_await(struct reload *reload, int64_t wait_ms);

/* Why and when (wall time, ms) the last reload failed; an empty list and 0 if it
 * succeeded. */
void reload_failure(struct reload *reload, struct problems *out, int64_t *out_at_ms);

/* Reads those lists again that the MTA expands only when it delivers, if there are any.
 */
void reload_aliases(struct reload *reload);

/* Starts the thread that takes SIGUSR1 and the refresh timer. */
enum status reload_start(struct reload *reload) MUST_CHECK;

#endif
