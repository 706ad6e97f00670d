/* Starting, reloading and stopping. One thread beside libmilter's and the store's own
 * takes SIGUSR1 and the refresh timer; snapshots are built and freed there, never where a
 * message waits. */
#include "milter/daemon.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "lists/catalog.h"
#include "milter/callbacks.h"
#include "store/key.h"

enum { STOP_GRACE_MS = 200, PROBLEM_SIZE = 1000, REPLACE_TICKS = 2000 };

#define TELL_AGAIN_US (INT64_C(3600) * 1000000)

struct daemon {
    const char *configuration;
    struct catalog *catalog; /* of the reload thread once it runs, as what follows */
    struct problems told;    /* by the last refresh: a fault is not logged each time */
    int64_t told_at_us;      /* when all of them were logged */
    struct engine engine;
};

void daemon_block_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void log_problem(const struct problem *problem)
{
    char text[PROBLEM_SIZE];
    struct problem bare = *problem;
    bare.warning = false; /* the severity says it */
    problem_format(&bare, text, sizeof text);
    log_print(problem->warning ? SEVERITY_WARNING : SEVERITY_ERROR, "%s", text);
}

static void log_problems(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        log_problem(&problems->items[i]);
    problems_clear(problems);
}

/* Whether a place in a file had a problem in the refresh before this one. */
static bool was_told(const struct problems *before, const struct problem *problem)
{
    for (size_t i = 0; i < before->count; i++) {
        if (before->items[i].line == problem->line &&
            strcmp(before->items[i].file, problem->file) == 0)
            return true;
    }
    return false;
}

static void log_error(const struct error *error)
{
    struct problems problems = {0};
    problems_take(&problems, error);
    log_problems(&problems);
}

static void report_store(void *context, enum severity severity, const char *text)
{
    (void)context;
    log_throttled(severity, "store: %s", text);
}

/* ---- reload ---- */

static void log_loaded(const char *what, const struct snapshot *snapshot)
{
    const struct policy *policy = &snapshot->settings->policy;
    log_print(SEVERITY_INFO, "%s: rules %zu, lists %u, mode %s", what, policy->rule_count,
              directory_list_count(snapshot->directory),
              policy->monitor ? "monitor" : "enforce");
}

/* A message that still holds the old one lets go within its deadline: waiting for that
 * keeps the work of freeing a directory off the mail threads. */
static void replace(struct daemon *daemon, struct snapshot *snapshot)
{
    struct snapshot *old = slot_swap(&daemon->engine.snapshots, snapshot);
    const struct timespec tick = {.tv_nsec = 5000000};
    for (int i = 0; i < REPLACE_TICKS && atomic_load(&old->references) > 1; i++)
        (void)nanosleep(&tick, NULL);
    snapshot_unref(old);
}

static bool same(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static void warn_of_restart(const struct settings *old, const struct settings *new)
{
    const struct store_settings *a = &old->store;
    const struct store_settings *b = &new->store;
    bool store = a->type == b->type && same(a->host, b->host) && a->port == b->port &&
                 same(a->path, b->path) && same(a->username, b->username) &&
                 same(a->password_file, b->password_file) && a->database == b->database &&
                 same(a->prefix, b->prefix) && a->connections == b->connections &&
                 a->timeout_ms == b->timeout_ms && same(a->state_file, b->state_file) &&
                 a->on_failure == b->on_failure && a->nodes == b->nodes;
    if (!store)
        log_print(SEVERITY_WARNING, "changes to store take effect at the next restart");
    if (!same(old->milter.socket, new->milter.socket) ||
        old->milter.socket_mode != new->milter.socket_mode)
        log_print(SEVERITY_WARNING, "changes to milter take effect at the next restart");
    if (old->mta.type != new->mta.type)
        log_print(SEVERITY_WARNING,
                  "a change of mta.type takes effect at the next restart");
    if (!same(old->privacy.key_file, new->privacy.key_file))
        log_print(SEVERITY_WARNING,
                  "a change of privacy.key_file takes effect at the next restart");
}

static void reload(struct daemon *daemon)
{
    struct problems problems = {0};
    struct snapshot *fresh;
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                     (long long)clock_monotonic_us());
    enum status status =
        snapshot_load(daemon->configuration, daemon->catalog, false, &problems, &fresh);
    log_problems(&problems);
    if (status == STATUS_OK) {
        struct snapshot *old = slot_get(&daemon->engine.snapshots);
        warn_of_restart(old->settings, fresh->settings);
        snapshot_unref(old);
        replace(daemon, fresh);
        log_loaded("reloaded", fresh); /* only this thread can take it away again */
    } else {
        log_print(SEVERITY_ERROR, "%s: not reloaded, the rules from before stay in force",
                  daemon->configuration);
    }
    (void)sd_notify(0, "READY=1");
}

static void refresh(struct daemon *daemon)
{
    struct problems problems = {0};
    struct snapshot *fresh;
    struct snapshot *old = slot_get(&daemon->engine.snapshots);
    enum status status = snapshot_refresh(old, daemon->catalog, clock_wall_ms(),
                                          &problems, &fresh);
    snapshot_unref(old);
    bool again = clock_monotonic_us() - daemon->told_at_us > TELL_AGAIN_US;
    for (size_t i = 0; i < problems.count; i++) {
        if (again || !was_told(&daemon->told, &problems.items[i]))
            log_problem(&problems.items[i]);
    }
    if (again)
        daemon->told_at_us = clock_monotonic_us();
    problems_clear(&daemon->told);
    daemon->told = problems;
    if (status == STATUS_OK)
        replace(daemon, fresh);
    else
        log_print(SEVERITY_ERROR,
                  "the lists were not read again, those from before stay");
}

/* Seconds until the sources are to be read again: the shortest refresh of any. */
static time_t refresh_seconds(struct daemon *daemon)
{
    struct snapshot *snapshot = slot_get(&daemon->engine.snapshots);
    const struct settings *settings = snapshot->settings;
    int64_t shortest_ms = 24 * 3600 * INT64_C(1000);
    for (size_t i = 0; i < settings->list_count; i++) {
        if (settings->lists[i].refresh_ms < shortest_ms)
            shortest_ms = settings->lists[i].refresh_ms;
    }
    snapshot_unref(snapshot);
    return (time_t)((shortest_ms + 999) / 1000);
}

static void *reload_thread(void *argument)
{
    struct daemon *daemon = argument;
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    for (;;) {
        struct timespec wait = {.tv_sec = refresh_seconds(daemon)};
        int signal_number = sigtimedwait(&set, NULL, &wait);
        if (signal_number == SIGUSR1)
            reload(daemon);
        else if (errno == EAGAIN)
            refresh(daemon);
    }
    return NULL;
}

/* ---- start ---- */

/* Where the last good members are kept: beside the state file. NULL for nowhere. */
static char *cache_folder(const char *state_file)
{
    char *folder = NULL;
    const char *slash = strrchr(state_file, '/');
    if (slash == NULL)
        return NULL;
    if (asprintf(&folder, "%.*s/lists", (int)(slash - state_file), state_file) < 0)
        return NULL;
    return folder;
}

/* The configuration once for the folder of the catalog, then with the lists. */
static enum status load_first(struct daemon *daemon)
{
    struct problems problems = {0};
    struct settings settings;
    struct snapshot *snapshot;
    enum status status = settings_load(daemon->configuration, &settings, &problems);
    if (status != STATUS_OK) {
        log_problems(&problems);
        return status;
    }
    problems_clear(&problems);
    char *folder = cache_folder(settings.store.state_file);
    settings_clear(&settings);
    daemon->catalog = catalog_new(folder);
    free(folder);
    if (daemon->catalog == NULL)
        return STATUS_NOMEM;
    status = snapshot_load(daemon->configuration, daemon->catalog, false, &problems,
                           &snapshot);
    log_problems(&problems);
    if (status == STATUS_OK) {
        (void)slot_swap(&daemon->engine.snapshots, snapshot);
        log_loaded(daemon->configuration, snapshot);
    }
    return status;
}

static enum status open_store(struct daemon *daemon, const struct settings *settings)
{
    struct error error = {0};
    struct engine *engine = &daemon->engine;
    struct store_reporter reporter = {.report = report_store};
    engine->timeout_ms = settings->store.timeout_ms;
    engine->on_failure = settings->store.on_failure;
    enum status status = key_load(settings, &engine->key, &error);
    if (status == STATUS_OK)
        status =
            store_open(&settings->store, &engine->key, reporter, &engine->store, &error);
    if (status != STATUS_OK)
        log_error(&error);
    return status;
}

/* smfi_opensocket(1) would take the socket away from a daemon that still listens. */
static bool somebody_listens(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool listens = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return listens;
}

static enum status open_socket(const struct settings *settings)
{
    char *socket_name = settings->milter.socket;
    bool is_unix = strncmp(socket_name, "unix:", 5) == 0;
    if (is_unix && somebody_listens(socket_name + 5)) {
        log_print(SEVERITY_ERROR, "%s: another program listens there", socket_name);
        return STATUS_IO;
    }
    mode_t mask = umask((mode_t)(~settings->milter.socket_mode & 0777));
    errno = 0; /* libmilter does not always set it */
    int result = smfi_setconn(socket_name);
    if (result == MI_SUCCESS)
        result = smfi_opensocket(1);
    (void)umask(mask);
    if (result != MI_SUCCESS) {
        log_print(SEVERITY_ERROR, "%s: can't listen there%s%s", socket_name,
                  errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
        return STATUS_IO;
    }
    return STATUS_OK;
}

/* accept(2) without a free descriptor makes libmilter spin. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum status start_reload_thread(struct daemon *daemon)
{
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, reload_thread, daemon);
    if (failed != 0) {
        log_print(SEVERITY_ERROR, "can't start a thread: %s", strerror(failed));
        return STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}

static enum status start(struct daemon *daemon)
{
    struct error error;
    if (digest_init() != STATUS_OK) {
        log_print(SEVERITY_ERROR, "no source of random numbers");
        return STATUS_UNAVAILABLE;
    }
    if (geteuid() == 0)
        log_print(SEVERITY_WARNING,
                  "running as root is not needed: use a user of its own");
    raise_descriptor_limit();
    enum status status = slot_init(&daemon->engine.snapshots);
    if (status == STATUS_OK)
        status = load_first(daemon);
    if (status != STATUS_OK)
        return status;
    struct snapshot *snapshot = slot_get(&daemon->engine.snapshots);
    const struct settings *settings = snapshot->settings;
    status =
        callbacks_register(&daemon->engine, settings->mta.type == MTA_SENDMAIL, &error);
    if (status != STATUS_OK)
        log_error(&error);
    if (status == STATUS_OK)
        status = open_socket(settings);
    if (status == STATUS_OK)
        status = open_store(daemon, settings);
    if (status == STATUS_OK)
        status = start_reload_thread(daemon);
    snapshot_unref(snapshot);
    return status;
}

/* ---- stop ---- */

/* Decisions in flight get their time, and libmilter the moment to write the answer. */
static void drain(int timeout_ms)
{
    int64_t deadline =
        clock_monotonic_us() + (timeout_ms + STOP_GRACE_MS) * INT64_C(1000);
    const struct timespec tick = {.tv_nsec = 5000000};
    const struct timespec grace = {.tv_nsec = STOP_GRACE_MS / 2 * 1000000L};
    while (callbacks_in_flight() > 0 && clock_left_ms(deadline) > 0)
        (void)nanosleep(&tick, NULL);
    (void)nanosleep(&grace, NULL);
}

int daemon_run(const char *configuration)
{
    struct daemon daemon = {.configuration = configuration};
    struct error error;
    log_open("mailbraked");
    if (start(&daemon) != STATUS_OK) {
        log_print(SEVERITY_ERROR, "not started");
        return 1;
    }
    log_print(SEVERITY_INFO, "mailbraked " MAILBRAKE_VERSION " is ready");
    (void)sd_notify(0, "READY=1");
    int result = smfi_main();
    (void)sd_notify(0, "STOPPING=1");
    drain(daemon.engine.timeout_ms);
    if (store_save(daemon.engine.store, &error) != STATUS_OK)
        log_error(&error);
    log_print(SEVERITY_INFO, "stopped");
    /* Sessions still hold our memory: the kernel frees it, nobody else can. */
    _exit(result == MI_SUCCESS ? 0 : 1);
}
