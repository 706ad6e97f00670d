/* mailbrake-console(8): the web page. For whoever starts it, on 127.0.0.1. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/listener.h"
#include "base/log.h"
#include "console/server.h"
#include "console/upstream.h"

enum { EXIT_USAGE = 2, PORT = 8025, IDLE_S = 3600, LOOPBACK_COUNT = 3 };

#define SOCKET "/run/mailbrake/control.sock"
#define SECOND_US INT64_C(1000000)

static const char *const loopback[LOOPBACK_COUNT] = {"127.0.0.1", "localhost", "[::1]"};

struct console {
    const char *socket; /* of mailbraked */
    const char *app;    /* folder of the page */
    unsigned port;
    struct app_files *files;
    struct session *session;
    struct server *server;
};

static int complain(const struct error *error)
{
    log_print(SEVERITY_ERROR, "%s%s%s", error->file, error->file[0] == '\0' ? "" : ": ",
              error->text);
    return EXIT_FAILURE;
}

static enum status listen_here(const struct console *console, int *out_fd,
                               struct error *error)
{
    char place[32];
    struct tcp_address address;
    (void)snprintf(place, sizeof place, "127.0.0.1:%u", console->port);
    if (!tcp_address_parse(place, &address))
        return error_set(error, STATUS_INVALID, "%u is no port", console->port);
    struct error why = {0};
    enum status status = listener_open_tcp(&address, out_fd, &why);
    return status == STATUS_OK ? STATUS_OK
                               : error_set_at(error, status, place, 0, "%s", why.text);
}

static enum status start(struct console *console, struct error *error)
{
    int fd;
    enum status status = app_files_load(console->app, &console->files, error);
    if (status != STATUS_OK)
        return status;
    console->session = session_new();
    if (console->session == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    status = listen_here(console, &fd, error);
    if (status != STATUS_OK)
        return status;
    const struct server_args args = {
        .files = console->files,
        .guard = {.scheme = "http", .hosts = loopback, .host_count = LOOPBACK_COUNT},
        .socket = console->socket,
        .session = console->session,
    };
    status = server_start(&args, fd, &console->server, error);
    if (status != STATUS_OK)
        (void)close(fd);
    return status;
}

/* Until a signal, or an hour in which nobody has done anything. */
static void wait_for_end(struct console *console, const sigset_t *signals)
{
    static const struct timespec second = {.tv_sec = 1};
    int64_t idle_us = 0;
    while (idle_us < IDLE_S * SECOND_US && sigtimedwait(signals, NULL, &second) < 0) {
        server_sweep(console->server);
        idle_us = clock_monotonic_us() - session_touched_us(console->session);
    }
    if (idle_us >= IDLE_S * SECOND_US)
        log_print(SEVERITY_INFO, "ended: not used for an hour");
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
    if (status == STATUS_OK) {
        (void)printf("http://127.0.0.1:%u/#%s\n", console->port,
                     session_token(console->session));
        (void)puts("The address is good once. Ctrl-C ends the console, as does an hour "
                   "without use.");
        (void)fflush(stdout);
        wait_for_end(console, &signals);
    }
    server_stop(console->server);
    session_free(console->session);
    app_files_free(console->files);
    return status == STATUS_OK ? EXIT_SUCCESS : complain(&error);
}

static int usage(FILE *out, int status)
{
    (void)fputs("usage: mailbrake-console [--port N] [--socket PATH] [--app FOLDER]\n"
                "       mailbrake-console --version | --help\n",
                out);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'}, {"socket", required_argument, NULL, 's'},
        {"app", required_argument, NULL, 'a'},  {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},       {0},
    };
    struct console console = {
        .socket = SOCKET, .app = MAILBRAKE_CONSOLE_APP, .port = PORT};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return usage(stdout, EXIT_SUCCESS);
        if (option == 'V')
            return puts("mailbrake-console " MAILBRAKE_VERSION) < 0;
        if (option == '?')
            return usage(stderr, EXIT_USAGE);
        console.socket = option == 's' ? optarg : console.socket;
        console.app = option == 'a' ? optarg : console.app;
        if (option == 'p')
            console.port = (unsigned)strtoul(optarg, NULL, 10);
    }
    if (optind < argc || console.port < 1 || console.port > 65535)
        return usage(stderr, EXIT_USAGE);
    log_open("mailbrake-console");
    (void)signal(SIGPIPE, SIG_IGN);
    /* No other process of the same user reads the session's secrets. */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (digest_init() != STATUS_OK || upstream_init() != STATUS_OK)
        return EXIT_FAILURE;
    return run(&console);
}
