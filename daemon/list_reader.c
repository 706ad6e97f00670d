/* One source after the other, each when it is due; what it has is entered into the
 * catalog and into a new snapshot under the lock of the reloads, which is free while it
 * is read. */
#include "daemon/list_reader.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "conf/sources.h"
#include "lists/source.h"

enum { IDLE_MS = 60000 }; /* looks at the wall clock at least so often: it may be set */

/* The source that is due first, NULL for none; *out_wait_ms until then. */
static const struct list_source *
find_due(struct reload *reload, const struct settings *settings, int64_t *out_wait_ms)
{
    const struct list_source *found = NULL;
    *out_wait_ms = IDLE_MS;
    for (size_t i = 0; i < settings->list_count; i++) {
        const struct list_source *source = &settings->lists[i];
        if (!sources_is_remote(source))
            continue;
        int64_t wait_ms = catalog_wait_ms(reload->catalog, source, clock_wall_ms());
        if (wait_ms < *out_wait_ms) {
            *out_wait_ms = wait_ms;
            found = source;
        }
    }
    return found;
}

/* Logged when it is news: after the start, and after a failure. */
static void report(const struct list_source *source, const struct source_read *before,
                   const struct source_read *read)
{
    if (read->status == STATUS_OK && (before == NULL || before->status != STATUS_OK))
        log_print(SEVERITY_INFO, "%s was read: %s", source->path, read->summary);
}

static void take(struct reload *reload, const struct list_source *source,
                 struct source_read *read)
{
    struct problems problems = {0};
    pthread_mutex_lock(&reload->lock);
    report(source, catalog_last_read(reload->catalog, source), read);
    enum status status = catalog_take(reload->catalog, source, read, &problems);
    reload_refresh(reload, &problems);
    pthread_mutex_unlock(&reload->lock);
    if (status != STATUS_OK)
        log_print(SEVERITY_ERROR, "%s: %s", source->path,
                  status == STATUS_NOMEM ? "out of memory" : "too many lists or members");
}

/* Reads the source that is due, or waits until one may be. */
static void read_due(struct reload *reload)
{
    struct source_read read = {0};
    int64_t wait_ms;
    pthread_mutex_lock(&reload->lock);
    struct snapshot *snapshot = current_snapshot_get(reload->current);
    const struct list_source *source = find_due(reload, snapshot->settings, &wait_ms);
    if (source == NULL || wait_ms > 0) {
        snapshot_unref(snapshot); /* may be the last to use it */
        reload_await(reload, wait_ms);
        pthread_mutex_unlock(&reload->lock);
        return;
    }
    catalog_begin(reload->catalog, source);
    pthread_mutex_unlock(&reload->lock);
    source_read(source, &read);
    take(reload, source, &read);
    snapshot_unref(snapshot);
}

static void *run(void *argument)
{
    for (;;)
        read_due(argument);
    return NULL;
}

enum status list_reader_start(struct reload *reload)
{
    struct error error = {0};
    enum status status = worker_start("lists", run, reload, NULL, &error);
    if (status != STATUS_OK)
        log_print(SEVERITY_ERROR, "%s", error.text);
    return status;
}
