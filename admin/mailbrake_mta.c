/* mailbrake-mta(8): takes orders on a socket, from root and Mailbrake alone, and does
 * them one at a time. It is the only program of Mailbrake's with privileges. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "admin/mta.h"
#include "admin/mta_answer.h"
#include "admin/mta_order.h"
#include "admin/mta_peer.h"
#include "base/clock.h"
#include "base/log.h"

enum { ORDER_MS = 30000, BACKLOG = 64, PROBLEM_SIZE = 1000, EXIT_USAGE = 2 };

struct helper {
    const char *configuration, *user;
    bool listens;
    struct settings settings;
    uid_t uid; /* of user; 0 when there is no such user */
    gid_t gid;
    int socket, signals;
};

/* ---- one order ---- */

static void log_order(const struct mta_peer *peer, const struct mta_order *order,
                      const struct text *reply, const struct error *error,
                      int64_t started_us)
{
    struct text line = {0};
    const char *end = text_string(reply) + reply->length - (reply->length > 0);
    const char *last = end;
    while (last > text_string(reply) && last[-1] != '\n')
        last--;
    char result[300];
    (void)snprintf(result, sizeof result, "%.*s", (int)(end - last), last);
    log_field_number(&line, "uid", peer->uid);
    log_field(&line, "order", order->name == NULL ? "-" : order->name);
    if (order->queue_id != NULL)
        log_field(&line, "qid", order->queue_id);
    if (order->mark != NULL)
        log_field(&line, "mark", order->mark);
    log_field(&line, "result", result);
    if (strcmp(result, "missing") == 0)
        log_field(&line, "why", error->text);
    log_field_number(&line, "ms", (clock_monotonic_us() - started_us) / 1000);
    log_line(strncmp(result, "error", 5) == 0 ? SEVERITY_WARNING : SEVERITY_INFO, &line);
    text_clear(&line);
}

static enum status read_order(const struct helper *helper, struct mta_peer *peer,
                              struct mta_order *out, struct error *error)
{
    enum status status = mta_peer_read_line(peer, error);
    if (status == STATUS_OK)
        status = mta_order_parse(peer->line.data, peer->line.length,
                                 helper->settings.mta.type, out, error);
    if (status == STATUS_OK && out->has_text)
        status = mta_peer_read_rest(peer, error);
    else if (status == STATUS_OK && peer->rest.length > 0)
        status = error_set(error, STATUS_INVALID, "more than one line");
    if (status == STATUS_OK && !mta_peer_waits(peer))
        status = error_set(error, STATUS_UNAVAILABLE, "nobody waits for the answer");
    return status;
}

static void serve(const struct helper *helper, struct mta_peer *peer)
{
    int64_t started_us = clock_monotonic_us();
    struct error error = {0};
    struct mta_order order = {0};
    struct text reply = {0};
    const struct mta_job job = {.config_directory = helper->settings.mta.config_directory,
                                .deadline_us = peer->deadline_us,
                                .error = &error};
    const struct mta *mta =
        helper->settings.mta.type == MTA_SENDMAIL ? &mta_sendmail : &mta_postfix;
    if (peer->uid != 0 && peer->uid != helper->uid) {
        mta_answer_fail(&reply, "not allowed");
        log_throttled(SEVERITY_WARNING, "uid %u is not allowed to give orders",
                      peer->uid);
    } else {
        if (read_order(helper, peer, &order, &error) == STATUS_OK)
            mta_answer(mta, &job, &order, &peer->rest, &reply);
        else
            mta_answer_fail(&reply, error.text);
        if (reply.failed) {
            text_clear(&reply);
            mta_answer_fail(&reply, "out of memory");
        }
        log_order(peer, &order, &reply, &error, started_us);
    }
    mta_peer_reply(peer, &reply);
    text_clear(&reply);
}

static void take_peer(const struct helper *helper)
{
    struct mta_peer peer;
    int fd = accept4(helper->socket, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            log_throttled(SEVERITY_ERROR, "accept: %s", strerror(errno));
            (void)poll(NULL, 0, 100); /* it may last, do not spin */
        }
        return;
    }
    int64_t deadline_us = clock_monotonic_us() + ORDER_MS * INT64_C(1000);
    if (mta_peer_init(&peer, fd, deadline_us) == STATUS_OK)
        serve(helper, &peer);
    mta_peer_clear(&peer);
}

/* Until SIGTERM or SIGINT, which wait while an order is done. */
static void loop(const struct helper *helper)
{
    struct pollfd waiting[] = {{.fd = helper->signals, .events = POLLIN},
                               {.fd = helper->socket, .events = POLLIN}};
    for (;;) {
        int ready = poll(waiting, 2, -1);
        if (ready > 0 && waiting[0].revents != 0)
            return;
        if (ready > 0)
            take_peer(helper);
    }
}

/* ---- start ---- */

/* systemd's socket, exactly one. */
static int inherit_socket(void)
{
    if (sd_listen_fds(1) != 1 ||
        sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) <= 0) {
        log_print(SEVERITY_ERROR, "systemd gave no socket; without it use --listen");
        return -1;
    }
    (void)fcntl(SD_LISTEN_FDS_START, F_SETFL, O_NONBLOCK);
    return SD_LISTEN_FDS_START;
}

/* Whether the path is free: nothing there, or a socket that nobody listens on, which is
 * removed then. */
static bool make_way(const struct sockaddr_un *address)
{
    struct stat info;
    if (lstat(address->sun_path, &info) != 0)
        return errno == ENOENT;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool stale = S_ISSOCK(info.st_mode) && probe >= 0 &&
                 connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 &&
                 errno == ECONNREFUSED && unlink(address->sun_path) == 0;
    if (probe >= 0)
        (void)close(probe);
    if (!stale)
        errno = EADDRINUSE;
    return stale;
}

/* Our own, 0660 from the start, for the user's group. */
static int make_socket(const struct helper *helper)
{
    const char *path = helper->settings.mta.helper;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0117);
    bool bound = fd >= 0 && make_way(&address) &&
                 bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)umask(mask);
    if (bound && (helper->uid == 0 || lchown(path, (uid_t)-1, helper->gid) == 0) &&
        listen(fd, BACKLOG) == 0)
        return fd;
    log_print(SEVERITY_ERROR, "%s: %s", path, strerror(errno));
    if (bound)
        (void)unlink(path);
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static bool load(struct helper *helper)
{
    struct problems problems = {0};
    enum status status =
        settings_load(helper->configuration, &helper->settings, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        char text[PROBLEM_SIZE];
        problem_format(&problems.items[i], text, sizeof text);
        if (!problems.items[i].warning) /* those are mailbraked's */
            log_print(SEVERITY_ERROR, "%s", text);
    }
    problems_clear(&problems);
    return status == STATUS_OK;
}

static void find_user(struct helper *helper)
{
    const struct passwd *entry = getpwnam(helper->user);
    if (entry == NULL) {
        log_print(SEVERITY_WARNING, "no user %s: orders are taken from root alone",
                  helper->user);
        return;
    }
    helper->uid = entry->pw_uid;
    helper->gid = entry->pw_gid;
}

static bool catch_signals(struct helper *helper)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return false;
    helper->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return helper->signals >= 0;
}

static int run(struct helper *helper)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)unsetenv("TZ"); /* times are those that the MTA's programs print */
    (void)umask(077);
    if (!catch_signals(helper) || !load(helper))
        return EXIT_FAILURE;
    find_user(helper);
    helper->socket = helper->listens ? make_socket(helper) : inherit_socket();
    if (helper->socket >= 0) {
        log_print(SEVERITY_INFO, "ready");
        (void)sd_notify(0, "READY=1");
        loop(helper);
        log_print(SEVERITY_INFO, "stopped");
        if (helper->listens)
            (void)unlink(helper->settings.mta.helper);
    }
    settings_clear(&helper->settings);
    return helper->socket >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage(FILE *out, int status)
{
    (void)fputs("usage: mailbrake-mta [-c FILE] [--listen] [--user NAME]\n"
                "       mailbrake-mta --version | --help\n",
                out);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"listen", no_argument, NULL, 'l'},
        {"user", required_argument, NULL, 'u'},   {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {0},
    };
    struct helper helper = {.configuration = "/etc/mailbrake/mailbrake.conf",
                            .user = "mailbrake"};
    int option;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            helper.configuration = optarg;
            break;
        case 'l':
            helper.listens = true;
            break;
        case 'u':
            helper.user = optarg;
            break;
        case 'V':
            (void)puts("mailbrake-mta " MAILBRAKE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            return usage(stdout, EXIT_SUCCESS);
        default:
            return usage(stderr, EXIT_USAGE);
        }
    }
    if (optind < argc)
        return usage(stderr, EXIT_USAGE);
    log_open("mailbrake-mta");
    return run(&helper);
}
