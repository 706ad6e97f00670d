/* mailbrake-console(8): the web page. For whoever starts it, on 127.0.0.1; or as a
 * service, for everybody whom a reverse proxy names. */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/account.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/listener.h"
#include "base/log.h"
#include "conf/console_settings.h"
#include "console/server.h"
#include "console/upstream.h"

enum { EXIT_USAGE = 2, PORT = 8025, LOOPBACK_COUNT = 3, PROBLEM_SIZE = 1000 };

#define HOUR_MS INT64_C(3600000)

static const char *const loopback[LOOPBACK_COUNT] = {"127.0.0.1", "localhost", "[::1]"};

struct console {
    const char *configuration; /* of the service */
    const char *socket;        /* of mailbraked */
    const char *app;           /* folder of the page */
    long port;
    int64_t idle_ms; /* after so long without use it ends */
    bool service;
    struct console_settings settings; /* of the service */
    struct app_files *files;
    struct web_session *session; /* NULL: the service */
    struct server *server;
};

static void complain(const struct error *error)
{
    log_print(SEVERITY_ERROR, "%s%s%s", error->file, error->file[0] == '\0' ? "" : ": ",
              error->text);
}

/* ---- for whoever starts it ---- */

static enum status listen_here(const struct console *console, int *out_fd,
                               struct error *error)
{
    char place[32];
    struct tcp_address address;
    struct error why = {0};
    (void)snprintf(place, sizeof place, "127.0.0.1:%ld", console->port);
    if (!tcp_address_parse(place, &address))
        return error_set(error, STATUS_INVALID, "%ld is no port", console->port);
    enum status status = listener_open_tcp(&address, out_fd, &why);
    if (status != STATUS_OK)
        return error_set_at(error, status, place, 0, "%s", why.text);
    (void)listen(*out_fd, SOMAXCONN); /* whom a flood keeps waiting, waits for a second */
    return STATUS_OK;
}

static enum status start_mine(struct console *console, struct server_args *args,
                              int *out_fd, struct error *error)
{
    console->session = web_session_new();
    if (console->session == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    args->guard = (struct guard){"http", loopback, LOOPBACK_COUNT};
    args->session = console->session;
    return listen_here(console, out_fd, error);
}

static void say_where(const struct console *console)
{
    char idle[DURATION_SIZE];
    duration_format(console->idle_ms, idle);
    (void)printf(
        "http://127.0.0.1:%ld/#%s\n"
        "The address is good once. Ctrl-C ends the console, and so does %s without "
        "use.\n",
        console->port, web_session_token(console->session), idle);
    (void)fflush(stdout);
}

/* ---- as a service ---- */

static bool load(struct console *console)
{
    struct problems problems = {0};
    enum status status =
        console_settings_load(console->configuration, &console->settings, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        char text[PROBLEM_SIZE];
        problem_format(&problems.items[i], text, sizeof text);
        if (!problems.items[i].warning) /* mailbraked reports those */
            log_print(SEVERITY_ERROR, "%s", text);
    }
    problems_clear(&problems);
    return status == STATUS_OK;
}

/* From systemd, exactly one. */
static enum status inherit_socket(int *out_fd, struct error *error)
{
    if (sd_listen_fds(1) != 1 ||
        sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) <= 0)
        return error_set(error, STATUS_INVALID, "systemd gave no unix socket");
    (void)fcntl(SD_LISTEN_FDS_START, F_SETFL, O_NONBLOCK);
    *out_fd = SD_LISTEN_FDS_START;
    return STATUS_OK;
}

static enum status start_service(struct console *console, struct server_args *args,
                                 int *out_fd, struct error *error)
{
    gid_t gid;
    const struct console_settings *settings = &console->settings;
    if (!load(console))
        return error_set(error, STATUS_INVALID, "not started");
    if (settings->host_count == 0)
        return error_set_at(error, STATUS_INVALID, console->configuration, 0,
                            "console.hosts is empty: under which names does the proxy "
                            "serve the page?");
    if (account_find_uid(settings->proxy_user, &args->proxy, &gid) != STATUS_OK)
        return error_set_at(error, STATUS_INVALID, console->configuration, 0,
                            "console.proxy_user: there is no user %s",
                            settings->proxy_user);
    args->guard = (struct guard){"https", (const char *const *)settings->hosts,
                                 settings->host_count};
    args->user_header = settings->user_header;
    args->socket = settings->socket;
    return inherit_socket(out_fd, error);
}

/* ---- both ---- */

static enum status start(struct console *console, struct error *error)
{
    int fd = -1;
    struct server_args args = {.socket = console->socket};
    enum status status = console->service ? start_service(console, &args, &fd, error)
                                          : start_mine(console, &args, &fd, error);
    if (status == STATUS_OK)
        status = app_files_load(console->app, &console->files, error);
    args.files = console->files;
    if (status == STATUS_OK)
        status = server_start(&args, fd, &console->server, error);
    if (status != STATUS_OK && fd >= 0)
        (void)close(fd);
    return status;
}

static bool is_idle(const struct console *console)
{
    return console->session != NULL &&
           clock_monotonic_us() - web_session_touched_us(console->session) >=
               console->idle_ms * 1000;
}

/* Until a signal, or its person has done nothing for idle_ms. */
static void wait_for_end(struct console *console, const sigset_t *signals)
{
    static const struct timespec second = {.tv_sec = 1};
    while (!is_idle(console)) {
        if (sigtimedwait(signals, NULL, &second) >= 0)
            return;
        server_sweep(console->server);
    }
    log_print(SEVERITY_INFO, "ended: nobody has used it");
}

static int run(struct console *console)
{
    sigset_t signals;
    struct error error = {0};
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    enum status status = start(console, &error);
    if (status != STATUS_OK) {
        complain(&error);
    } else {
        if (console->service)
            (void)sd_notify(0, "READY=1");
        else
            say_where(console);
        wait_for_end(console, &signals);
    }
    server_stop(console->server);
    web_session_free(console->session);
    app_files_free(console->files);
    console_settings_clear(&console->settings);
    return status == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage(FILE *out, int status)
{
    (void)fputs("usage: mailbrake-console [--port N] [--socket PATH] [--app FOLDER]\n"
                "                         [--idle DURATION]\n"
                "       mailbrake-console --service [-c FILE] [--app FOLDER]\n"
                "       mailbrake-console --version | --help\n",
                out);
    return status;
}

static bool take_port(const char *text, long *out)
{
    char *end;
    *out = strtol(text, &end, 10);
    return end != text && *end == '\0' && *out >= 1 && *out <= UINT16_MAX;
}

/* False when the command line makes no sense. */
static bool parse(int argc, char **argv, struct console *console, int *out_exit)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"port", required_argument, NULL, 'p'},
        {"socket", required_argument, NULL, 's'},
        {"app", required_argument, NULL, 'a'},
        {"idle", required_argument, NULL, 'i'},
        {"service", no_argument, NULL, 'S'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;
    bool right = true;
    *out_exit = -1;
    while (right && (option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            console->configuration = optarg;
            break;
        case 'p':
            right = take_port(optarg, &console->port);
            break;
        case 's':
            console->socket = optarg;
            break;
        case 'a':
            console->app = optarg;
            break;
        case 'i':
            right = duration_parse(optarg, &console->idle_ms, NULL) == STATUS_OK;
            break;
        case 'S':
            console->service = true;
            break;
        case 'V':
            *out_exit = puts("mailbrake-console " MAILBRAKE_VERSION) < 0;
            return true;
        case 'h':
            *out_exit = usage(stdout, EXIT_SUCCESS);
            return true;
        default:
            right = false;
        }
    }
    return right && optind == argc;
}

int main(int argc, char **argv)
{
    struct console console = {.configuration = "/etc/mailbrake/mailbrake.conf",
                              .socket = CONSOLE_SETTINGS_SOCKET,
                              .app = MAILBRAKE_CONSOLE_APP,
                              .port = PORT,
                              .idle_ms = HOUR_MS};
    int status;
    if (!parse(argc, argv, &console, &status))
        return usage(stderr, EXIT_USAGE);
    if (status >= 0)
        return status;
    log_open("mailbrake-console");
    (void)signal(SIGPIPE, SIG_IGN);
    /* It becomes nobody else, and no other process of its user reads its secrets. */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (digest_init() != STATUS_OK || upstream_init() != STATUS_OK) {
        log_print(SEVERITY_ERROR, "libsodium or libcurl does not start");
        return EXIT_FAILURE;
    }
    return run(&console);
}
