/* Starting and stopping. The parts are created in order of dependency and live as long as
 * the process: nothing is freed at the end. */
#include "daemon/daemon.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "control/control.h"
#include "daemon/confirming.h"
#include "daemon/housekeeping.h"
#include "daemon/list_reader.h"
#include "daemon/pacing.h"
#include "daemon/peers.h"
#include "daemon/problem_log.h"
#include "daemon/reload.h"
#include "daemon/taker.h"
#include "engine/answers.h"
#include "engine/traffic.h"
#include "lists/rest_client.h"
#include "milter/callbacks.h"
#include "store/orders.h"
#include "store/subject_key.h"

enum { STOP_GRACE_MS = 200, HOST_SIZE = 256, PATH_SIZE = 4096 };

struct daemon {
    struct reload reload;
    struct engine engine;
    struct actions *actions;
    struct audit *audit;
    struct orders *orders; /* NULL: no other relay can use the store */
    struct control *control;
    char host[HOST_SIZE]; /* this relay's name in records */
    int64_t started_us;
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

static void report_store(void *context, enum severity severity, const char *text)
{
    static const char change[] = "store: %s"; /* counted apart from complaints */
    (void)context;
    if (severity == SEVERITY_INFO)
        log_throttled(severity, change, text);
    else
        log_throttled(severity, "store: %s", text);
}

/* ---- start ---- */

static enum status open_store(struct daemon *daemon, const struct settings *settings,
                              struct error *error)
{
    struct engine *engine = &daemon->engine;
    struct store_reporter reporter = {.report = report_store};
    engine->timeout_ms = settings->store.timeout_ms;
    enum status status = subject_key_load(settings, &engine->key, error);
    if (status != STATUS_OK)
        return status;
    return store_open(&settings->store, &engine->key, reporter, &engine->store, error);
}

/* The audit lies beside the state file; without one it goes to the log only. */
static struct audit *open_audit(const char *state_file)
{
    char path[PATH_SIZE];
    const char *slash = strrchr(state_file, '/');
    if (slash == NULL)
        return audit_new(NULL);
    (void)snprintf(path, sizeof path, "%.*s/audit.log", (int)(slash - state_file),
                   state_file);
    return audit_new(path);
}

static enum status make_parts(struct daemon *daemon, const struct settings *settings,
                              struct error *error)
{
    struct engine *engine = &daemon->engine;
    if (settings->relay[0] != '\0')
        (void)snprintf(daemon->host, sizeof daemon->host, "%s", settings->relay);
    else if (gethostname(daemon->host, sizeof daemon->host - 1) != 0)
        (void)snprintf(daemon->host, sizeof daemon->host, "localhost");
    digest_key_random(&engine->token_key);
    engine->ledger = ledger_new(engine->store, &engine->key, daemon->host);
    engine->active_brakes = active_brakes_new(engine->store);
    engine->counters = counters_new();
    engine->traffic = traffic_new(daemon->host);
    engine->answers = answers_new(daemon->host);
    engine->conversations = conversations_new(CONVERSATIONS_MAX);
    daemon->audit = open_audit(settings->store.state_file);
    if (engine->ledger == NULL || engine->active_brakes == NULL ||
        engine->counters == NULL || engine->traffic == NULL || engine->answers == NULL ||
        engine->conversations == NULL || daemon->audit == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    if (settings->store.type != STORE_TYPE_MEMORY) {
        daemon->orders = orders_new(engine->store, &engine->key, daemon->host);
        if (daemon->orders == NULL)
            return error_set(error, STATUS_NOMEM, "out of memory");
    }
    daemon->actions = actions_new(engine->ledger, &engine->token_key, daemon->host);
    return daemon->actions == NULL ? error_set(error, STATUS_NOMEM, "out of memory")
                                   : STATUS_OK;
}

static enum status reload_for_control(void *context, struct problems *problems)
{
    return reload_now(context, problems);
}

static enum status accept_for_control(void *context, const char *address,
                                      struct list_jumps *out)
{
    return reload_accept(context, address, out);
}

static void reload_failure_for_control(void *context, struct problems *out,
                                       int64_t *out_at_ms)
{
    reload_failure(context, out, out_at_ms);
}

static void refresh_for_control(void *context)
{
    reload_aliases(context);
}

static struct control_context make_context(struct daemon *daemon)
{
    struct engine *engine = &daemon->engine;
    return (struct control_context){
        .snapshots = &engine->snapshots,
        .store = engine->store,
        .ledger = engine->ledger,
        .active_brakes = engine->active_brakes,
        .actions = daemon->actions,
        .audit = daemon->audit,
        .counters = engine->counters,
        .conversations = engine->conversations,
        .traffic = engine->traffic,
        .orders = daemon->orders,
        .host = daemon->host,
        .key = &engine->key,
        .token_key = &engine->token_key,
        .reload = reload_for_control,
        .reload_failure = reload_failure_for_control,
        .refresh = refresh_for_control,
        .accept_lists = accept_for_control,
        .reload_context = &daemon->reload,
        .started_us = daemon->started_us,
    };
}

/* Without its socket nobody can release what is held, but mail is judged all the same. */
static void open_control(struct daemon *daemon, const struct settings *settings)
{
    struct error error = {0};
    const struct control_context context = make_context(daemon);
    if (control_start(&context, &daemon->control, &error) != STATUS_OK) {
        log_print(SEVERITY_WARNING, "no control socket: %s", error.text);
        return;
    }
    const char *metrics = settings->control.metrics;
    if (metrics[0] != '\0' &&
        control_serve_metrics(daemon->control, metrics, &error) != STATUS_OK)
        log_print(SEVERITY_WARNING, "no metrics at %s: %s", metrics, error.text);
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

static enum status open_socket(const struct settings *settings, struct error *error)
{
    char *socket_name = settings->milter.socket;
    bool is_unix = strncmp(socket_name, "unix:", 5) == 0;
    if (is_unix && somebody_listens(socket_name + 5)) {
        return error_set(error, STATUS_IO, "%s: another program is listening there",
                         socket_name);
    }
    mode_t mask = umask((mode_t)(~settings->milter.socket_mode & 0777));
    errno = 0; /* libmilter does not always set it */
    int result = smfi_setconn(socket_name);
    if (result == MI_SUCCESS)
        result = smfi_opensocket(1);
    (void)umask(mask);
    if (result == MI_SUCCESS)
        return STATUS_OK;
    int failure = errno;
    if (is_unix && !folder_exists(socket_name + 5)) {
        char text[PATH_SIZE];
        folder_explain(socket_name + 5,
                       settings->mta.type == MTA_POSTFIX ? "mailbrake:postfix"
                                                         : "mailbrake",
                       text, sizeof text);
        return error_set(error, STATUS_IO, "milter.socket: %s", text);
    }
    return error_set(error, STATUS_IO, "%s: can't listen there%s%s", socket_name,
                     failure != 0 ? ": " : "", failure != 0 ? strerror(failure) : "");
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

/* Without the store the day begins anew. */
static void load_traffic(const struct engine *engine)
{
    (void)!traffic_load(engine->traffic, engine->store, clock_wall_ms(),
                        clock_deadline_us(1000));
}

static void flush_traffic(struct engine *engine)
{
    struct snapshot *snapshot = current_snapshot_pin(&engine->snapshots);
    bool hashed = snapshot->settings->privacy.addresses == PRIVACY_HASHED;
    (void)!traffic_flush(engine->traffic, engine->store, hashed ? &engine->key : NULL,
                         clock_deadline_us(1000));
    (void)!traffic_flush_hour(engine->traffic, engine->store, clock_deadline_us(1000));
    current_snapshot_unpin(snapshot);
}

/* Everything that must be there before the first message. */
static enum status prepare(struct daemon *daemon, const struct settings *settings,
                           struct error *error)
{
    enum status status =
        callbacks_register(&daemon->engine, settings->mta.type == MTA_SENDMAIL, error);
    if (status == STATUS_OK)
        status = open_socket(settings, error);
    if (status == STATUS_OK)
        status = open_store(daemon, settings, error);
    if (status == STATUS_OK)
        status = peers_check_key(&daemon->engine, settings, error);
    if (status == STATUS_OK)
        status = make_parts(daemon, settings, error);
    if (status != STATUS_OK)
        return status;
    load_traffic(&daemon->engine);
    housekeeping_brakes(&daemon->engine);
    open_control(daemon, settings);
    status = housekeeping_start(&daemon->engine, daemon->actions, &daemon->reload,
                                daemon->host, error);
    if (status == STATUS_OK)
        status = pacing_start(&daemon->engine, daemon->actions, daemon->audit,
                              daemon->host, error);
    const struct control_context context = make_context(daemon);
    if (status == STATUS_OK && daemon->orders != NULL)
        status = taker_start(&context, error);
    if (status == STATUS_OK)
        status = confirming_start(&daemon->engine, daemon->actions, daemon->audit,
                                  &daemon->reload, daemon->host, error);
    if (status == STATUS_OK)
        status = reload_start(&daemon->reload);
    return status == STATUS_OK ? list_reader_start(&daemon->reload) : status;
}

static enum status start(struct daemon *daemon, const char *configuration)
{
    struct error error = {0};
    daemon->started_us = clock_monotonic_us();
    if (digest_init() != STATUS_OK) {
        log_print(SEVERITY_ERROR, "no source of random numbers");
        return STATUS_UNAVAILABLE;
    }
    if (rest_client_init() != STATUS_OK) {
        log_print(SEVERITY_ERROR, "libcurl can't be set up");
        return STATUS_UNAVAILABLE;
    }
    if (geteuid() == 0)
        log_print(
            SEVERITY_WARNING,
            "mailbraked runs as root, which it does not need: give it a user of its own");
    raise_descriptor_limit();
    enum status status = current_snapshot_init(&daemon->engine.snapshots);
    if (status == STATUS_OK)
        status = reload_first(&daemon->reload, configuration, &daemon->engine.snapshots);
    if (status != STATUS_OK)
        return status;
    struct snapshot *snapshot = current_snapshot_get(&daemon->engine.snapshots);
    status = prepare(daemon, snapshot->settings, &error);
    snapshot_unref(snapshot);
    if (status != STATUS_OK && error.text[0] != '\0')
        problem_log_error(&error);
    return status;
}

/* ---- stop ---- */

/* Waits for decisions in flight, and for libmilter to write their answers. */
static void drain(int timeout_ms)
{
    int64_t deadline = clock_deadline_us(timeout_ms + STOP_GRACE_MS);
    while (callbacks_in_flight() > 0 && clock_left_ms(deadline) > 0)
        clock_sleep_ms(5);
    clock_sleep_ms(STOP_GRACE_MS / 2);
}

int daemon_run(const char *configuration)
{
    static struct daemon daemon; /* threads use it until the very end */
    struct error error = {0};
    log_open("mailbraked");
    if (start(&daemon, configuration) != STATUS_OK) {
        log_print(SEVERITY_ERROR, "not started");
        return 1;
    }
    log_print(SEVERITY_INFO, "mailbraked " MAILBRAKE_VERSION " is ready");
    (void)sd_notify(0, "READY=1");
    int result = smfi_main();
    (void)sd_notify(0, "STOPPING=1");
    drain(daemon.engine.timeout_ms);
    housekeeping_flush(&daemon.engine);
    flush_traffic(&daemon.engine);
    if (store_save(daemon.engine.store, &error) != STATUS_OK)
        problem_log_error(&error);
    log_print(SEVERITY_INFO, "stopped");
    /* Sessions still hold our memory: the kernel frees it, nobody else can. */
    _exit(result == MI_SUCCESS ? 0 : 1);
}
