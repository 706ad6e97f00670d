/* Reads one source after another, each when it is due. The reloads' lock is free
 * meanwhile: it is taken to enter the answer into the catalog and a new snapshot. */
#include "daemon/list_reader.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "conf/sources.h"
#include "lists/source.h"

enum { IDLE_MS = 60000 }; /* the longest wait: the wall clock may be set */

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

/* Drops the answer if a reload removed the source meanwhile. A source that only failed
 * once more is no reason to build a new directory. */
static void take(struct reload *reload, const struct settings *settings,
                 const struct list_source *source, struct source_read *read)
{
    struct problems problems = {0};
    pthread_mutex_lock(&reload->lock);
    if (catalog_knows(reload->catalog, source)) {
        report(source, catalog_last_read(reload->catalog, source), read);
        /* NOMEM is in the catalog: this refresh reports it. */
        (void)!catalog_take(reload->catalog, source, source_domains(settings, source),
                            read, &problems);
        if (catalog_is_news(reload->catalog, source) || reload_is_report_due(reload))
            reload_refresh(reload, &problems);
        else
            problems_clear(&problems);
    }
    pthread_mutex_unlock(&reload->lock);
    source_read_clear(read);
}

/* Reads the source that is due, or waits until one may be. */
static void read_due(struct reload *reload)
{
    struct source_read read = {0};
    int64_t wait_ms;
    pthread_mutex_lock(&reload->lock);
    struct snapshot *snapshot = current_snapshot_get(reload->current);
    struct snapshot_settings *shared = snapshot_settings_ref(snapshot);
    snapshot_unref(snapshot);
    const struct settings *settings = snapshot_settings_get(shared);
    const struct list_source *source = find_due(reload, settings, &wait_ms);
    if (source == NULL || wait_ms > 0) {
        snapshot_settings_unref(shared);
        reload_await(reload, wait_ms);
        pthread_mutex_unlock(&reload->lock);
        return;
    }
    catalog_begin(reload->catalog, source);
    pthread_mutex_unlock(&reload->lock);
    source_read(source, &read);
    take(reload, settings, source, &read);
    snapshot_settings_unref(shared);
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
