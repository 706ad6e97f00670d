/* Loading, and the thread that does it: SIGUSR1 and the refresh timer. */
#include "daemon/reload.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "conf/sources.h"
#include "daemon/problem_log.h"
#include "engine/advice.h"
#include "store/probe.h"

enum { REPLACE_TICKS = 400, ADVICE_SIZE = 1000 };

#define REPORT_AGAIN_US (INT64_C(3600) * 1000000)

static void log_loaded(const char *what, const struct snapshot *snapshot)
{
    const struct policy *policy = &snapshot->settings->policy;
    uint32_t lists = directory_list_count(snapshot->directory);
    const char *mode = policy->monitor ? "monitor" : "enforce";
    log_print(SEVERITY_INFO, "%s: rules %zu, lists %u, mode %s", what, policy->rule_count,
              lists, mode);
    (void)sd_notifyf(0, "STATUS=rules %zu, lists %u, mode %s", policy->rule_count, lists,
                     mode);
}

/* A message that uses the old one releases it within its deadline. Waiting for that keeps
 * the cost of freeing a directory off the mail threads. */
static void replace(struct current_snapshot *current, struct snapshot *snapshot)
{
    struct snapshot *old = current_snapshot_swap(current, snapshot);
    for (int i = 0; i < REPLACE_TICKS && current_snapshot_is_pinned(old); i++)
        clock_sleep_ms(5);
    snapshot_unref(old);
}

static void warn_of_restart(const struct settings *settings)
{
    for (size_t i = 0; i < settings->restart_count; i++)
        log_print(SEVERITY_WARNING,
                  "%s was changed: the new value takes effect at the next restart",
                  settings->restart[i]);
}

/* advice: what check would say of the new file, apart from its errors and warnings. */
static enum status load(struct reload *reload, struct problems *problems,
                        struct problems *advice)
{
    struct snapshot *fresh;
    char place[STORE_PLACE_SIZE];
    enum status status =
        snapshot_load(reload->path, reload->catalog, false, problems, &fresh);
    if (status != STATUS_OK)
        return status;
    advice_add(fresh, advice);
    probe_store(fresh->settings, advice, place);
    struct snapshot *old = current_snapshot_get(reload->current);
    status = snapshot_keep(fresh, old);
    snapshot_unref(old);
    if (status != STATUS_OK) {
        snapshot_unref(fresh);
        problems_error(problems, reload->path, 0, "out of memory");
        return status;
    }
    catalog_want(reload->catalog);
    reload->loads++;
    (void)pthread_cond_broadcast(&reload->loaded);
    warn_of_restart(fresh->settings);
    replace(reload->current, fresh);
    log_loaded("reloaded", fresh); /* still current: we hold the lock */
    return STATUS_OK;
}

/* Logged as info: it is not new, and stays until it is fixed. */
static void log_advice(const struct problems *advice, struct problems *problems)
{
    for (size_t i = 0; i < advice->count; i++) {
        char text[ADVICE_SIZE];
        struct problem bare = advice->items[i];
        bare.warning = false;
        problem_format(&bare, text, sizeof text);
        log_print(SEVERITY_INFO, "%s", text);
        problems_warning(problems, bare.file, bare.line, "%s", bare.text);
    }
}

/* For status, since SIGUSR1 gets no answer. */
static void remember(struct reload *reload, enum status status,
                     const struct problems *problems)
{
    pthread_mutex_lock(&reload->failure_mutex);
    problems_clear(&reload->failure);
    reload->failed_at_ms = 0;
    if (status != STATUS_OK) {
        problems_add(&reload->failure, problems);
        reload->failed_at_ms = clock_wall_ms();
    }
    pthread_mutex_unlock(&reload->failure_mutex);
}

void reload_failure(struct reload *reload, struct problems *out, int64_t *out_at_ms)
{
    pthread_mutex_lock(&reload->failure_mutex);
    problems_add(out, &reload->failure);
    *out_at_ms = reload->failed_at_ms;
    pthread_mutex_unlock(&reload->failure_mutex);
}

enum status reload_now(struct reload *reload, struct problems *out_problems)
{
    struct problems problems = {0};
    struct problems advice = {0};
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                     (long long)clock_monotonic_us());
    pthread_mutex_lock(&reload->lock);
    enum status status = load(reload, &problems, &advice);
    pthread_mutex_unlock(&reload->lock);
    remember(reload, status, &problems);
    problem_log(&problems);
    log_advice(&advice, &problems);
    problems_clear(&advice);
    if (status != STATUS_OK) {
        log_print(SEVERITY_ERROR, "%s: not reloaded, the old rules stay in force",
                  reload->path);
        (void)sd_notify(0, "STATUS=not reloaded: the old rules stay in force");
    }
    (void)sd_notify(0, "READY=1");
    if (out_problems != NULL)
        *out_problems = problems;
    else
        problems_clear(&problems);
    return status;
}

bool reload_is_report_due(const struct reload *reload)
{
    return clock_monotonic_us() - reload->reported_at_us > REPORT_AGAIN_US;
}

/* Logs a refresh's new problems, and once an hour all of them. */
static void log_found(struct reload *reload, struct problems *problems)
{
    bool again = reload_is_report_due(reload);
    for (size_t i = 0; i < problems->count; i++) {
        if (again || !problems_have(&reload->reported, &problems->items[i]))
            problem_log_one(&problems->items[i]);
    }
    if (again)
        reload->reported_at_us = clock_monotonic_us();
    problems_clear(&reload->reported);
    reload->reported = *problems;
}

/* aliases: those of aliases(5) also before they are due. */
static void refresh_locked(struct reload *reload, bool aliases, struct problems *problems)
{
    struct snapshot *fresh;
    struct snapshot *old = current_snapshot_get(reload->current);
    enum status status = snapshot_refresh(old, reload->catalog, clock_wall_ms(), aliases,
                                          problems, &fresh);
    snapshot_unref(old);
    log_found(reload, problems);
    if (status == STATUS_OK)
        replace(reload->current, fresh);
    else
        log_print(SEVERITY_ERROR, "the lists could not be read again: the old ones stay");
}

void reload_refresh(struct reload *reload, struct problems *problems)
{
    refresh_locked(reload, false, problems);
}

static void refresh(struct reload *reload, bool aliases)
{
    struct problems problems = {0};
    pthread_mutex_lock(&reload->lock);
    refresh_locked(reload, aliases, &problems);
    pthread_mutex_unlock(&reload->lock);
}

void reload_aliases(struct reload *reload)
{
    bool aliases = false;
    struct snapshot *snapshot = current_snapshot_get(reload->current);
    for (size_t i = 0; i < snapshot->settings->list_count; i++)
        aliases = aliases || snapshot->settings->lists[i].kind == LIST_ALIASES;
    snapshot_unref(snapshot);
    if (aliases)
        refresh(reload, true);
}

enum status reload_accept(struct reload *reload, const char *address,
                          struct list_jumps *out)
{
    struct problems problems = {0};
    pthread_mutex_lock(&reload->lock);
    struct snapshot *old = current_snapshot_get(reload->current);
    enum status status =
        jumps_accept(catalog_jumps(reload->catalog), old->directory, address, out);
    snapshot_unref(old);
    if (status == STATUS_OK && out->count > 0) {
        reload_refresh(reload, &problems);
        jumps_look_again(catalog_jumps(reload->catalog), out);
    }
    pthread_mutex_unlock(&reload->lock);
    return status;
}

enum status reload_jumps_to_notify(struct reload *reload, int64_t wanted,
                                   struct list_jumps *out, int64_t *out_notified)
{
    pthread_mutex_lock(&reload->lock);
    enum status status =
        jumps_to_notify(catalog_jumps(reload->catalog), wanted, out, out_notified);
    pthread_mutex_unlock(&reload->lock);
    return status;
}

void reload_jumps_notified(struct reload *reload, const struct list_jumps *list,
                           int64_t notified)
{
    struct error error = {0};
    pthread_mutex_lock(&reload->lock);
    enum status status =
        jumps_set_notified(catalog_jumps(reload->catalog), list, notified, &error);
    pthread_mutex_unlock(&reload->lock);
    if (status != STATUS_OK)
        log_print(
            SEVERITY_WARNING,
            "%s: can't note that the notice of lists that jumped was sent, so it may be "
            "sent again: %s",
            error.file, error.text);
}

void reload_await(struct reload *reload, int64_t wait_ms)
{
    struct timespec until = clock_timespec(clock_deadline_us(wait_ms));
    unsigned loads = reload->loads;
    while (reload->loads == loads &&
           pthread_cond_timedwait(&reload->loaded, &reload->lock, &until) == 0)
        ;
}

/* Seconds until the files are to be read again: the shortest refresh of any. */
static time_t refresh_seconds(struct current_snapshot *current)
{
    struct snapshot *snapshot = current_snapshot_get(current);
    const struct settings *settings = snapshot->settings;
    int64_t shortest_ms = INT64_C(24) * 3600 * 1000;
    for (size_t i = 0; i < settings->list_count; i++) {
        if (!sources_is_remote(&settings->lists[i]) &&
            settings->lists[i].refresh_ms < shortest_ms)
            shortest_ms = settings->lists[i].refresh_ms;
    }
    snapshot_unref(snapshot);
    return (time_t)((shortest_ms + 999) / 1000);
}

static void *run(void *argument)
{
    struct reload *reload = argument;
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    for (;;) {
        struct timespec wait = {.tv_sec = refresh_seconds(reload->current)};
        int signal_number = sigtimedwait(&set, NULL, &wait);
        if (signal_number == SIGUSR1)
            (void)!reload_now(reload, NULL); /* logs its errors */
        else if (errno == EAGAIN)
            refresh(reload, false);
    }
    return NULL;
}

/* Reads the configuration twice: for the catalog's folder, then with the lists. */
static enum status load_first(struct reload *reload, struct problems *problems)
{
    struct settings settings;
    struct snapshot *snapshot;
    enum status status = settings_load(reload->path, &settings, problems);
    if (status != STATUS_OK)
        return status;
    problems_clear(problems); /* snapshot_load reports them again */
    char *folder = catalog_folder(settings.store.state_file);
    settings_clear(&settings);
    reload->catalog = catalog_new(folder);
    free(folder);
    if (reload->catalog == NULL)
        return STATUS_NOMEM;
    status = snapshot_load(reload->path, reload->catalog, false, problems, &snapshot);
    if (status == STATUS_OK) {
        (void)current_snapshot_swap(reload->current, snapshot);
        log_loaded(reload->path, snapshot);
    }
    return status;
}

enum status reload_first(struct reload *reload, const char *path,
                         struct current_snapshot *current)
{
    struct problems problems = {0};
    pthread_condattr_t monotonic;
    reload->path = path;
    reload->current = current;
    if (pthread_condattr_init(&monotonic) != 0 ||
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&reload->loaded, &monotonic) != 0 ||
        pthread_mutex_init(&reload->lock, NULL) != 0 ||
        pthread_mutex_init(&reload->failure_mutex, NULL) != 0)
        return STATUS_NOMEM;
    enum status status = load_first(reload, &problems);
    problem_log(&problems);
    problems_clear(&problems);
    return status;
}

enum status reload_start(struct reload *reload)
{
    struct error error = {0};
    enum status status = worker_start("reload", run, reload, NULL, &error);
    if (status != STATUS_OK)
        log_print(SEVERITY_ERROR, "%s", error.text);
    return status;
}
