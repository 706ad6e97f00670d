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
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "admin/listener.h"
#include "admin/mta_answer.h"
#include "admin/mta_order.h"
#include "admin/mta_peer.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    ORDER_MS = 30000,
    FAILURE_MAX = 300,
    PROBLEM_SIZE = 1000,
    EXIT_USAGE = 2,
    SOCKET_MODE = 0660,
};

struct helper {
    struct settings settings;
    char configuration[4096]; /* the MTA's */
    struct mta_job job;       /* what all orders' jobs have in common */
    uid_t uid;                /* may give orders, too; 0 when there is no such user */
    gid_t gid;
    int socket;
};

/* ---- one order ---- */

/* line: the order borrows from it; said, which grows, has a copy. */
static enum status read_order(const struct helper *helper, struct mta_peer *peer,
                              char line[MTA_LINE_MAX + 1], struct mta_order *out,
                              struct error *error)
{
    struct text *said = &peer->said;
    enum status status = mta_peer_read(peer, false, (size_t)2 * MTA_LINE_MAX, error);
    if (status != STATUS_OK)
        return status;
    const char *end = memchr(said->data, '\n', said->length);
    size_t length = (size_t)(end - said->data);
    if (length > MTA_LINE_MAX)
        return error_set(error, STATUS_INVALID, "the line is too long");
    memcpy(line, said->data, length);
    line[length] = '\0';
    status = mta_order_parse(line, length, helper->settings.mta.type, out, error);
    if (status == STATUS_OK && out->has_text)
        status = mta_peer_read(peer, true, length + 1 + MTA_TEXT_MAX, error);
    else if (status == STATUS_OK && said->length > length + 1)
        status = error_set(error, STATUS_INVALID, "more than one line");
    if (status == STATUS_OK && !mta_peer_waits(peer))
        status = error_set(error, STATUS_UNAVAILABLE, "nobody waits for the answer");
    out->text = said->data + length + 1;
    out->text_length = said->length - length - 1;
    return status;
}

/* The last line of a reply: ok, ok NUMBER (of the lines before it), missing, or error
 * TEXT, which may be an MTA's words. */
static void conclude(enum status status, const char *failure, bool counts,
                     struct text *reply, struct text *out)
{
    size_t lines = 0;
    for (size_t i = 0; i < reply->length; i++)
        lines += reply->data[i] == '\n';
    if (status == STATUS_OK) {
        text_add_string(out, "ok");
        if (counts)
            text_printf(out, " %zu", lines);
    } else if (status == STATUS_NOT_FOUND) {
        text_add_string(out, "missing");
    } else {
        text_add_string(out, "error ");
        text_add_escaped(out, failure, strlen(failure), FAILURE_MAX);
    }
    if (status != STATUS_OK)
        text_reset(reply);
    text_printf(reply, "%s\n", text_string(out));
}

static void log_order(const struct mta_peer *peer, const struct mta_order *order,
                      enum status status, const char *result, const char *why)
{
    struct text line = {0};
    int64_t left_ms = clock_left_ms(peer->deadline_us);
    bool failed = status != STATUS_OK && status != STATUS_NOT_FOUND;
    log_field_number(&line, "uid", peer->uid);
    log_field(&line, "order", order->name == NULL ? "-" : order->name);
    if (order->queue_id != NULL)
        log_field(&line, "qid", order->queue_id);
    if (order->mark != NULL)
        log_field(&line, "mark", order->mark);
    log_field(&line, "result", result);
    if (status == STATUS_NOT_FOUND)
        log_field(&line, "why", why);
    log_field_number(&line, "ms", ORDER_MS - left_ms);
    log_line(failed ? SEVERITY_WARNING : SEVERITY_INFO, &line);
    text_clear(&line);
}

static void serve(const struct helper *helper, struct mta_peer *peer)
{
    struct error error = {0};
    struct mta_order order = {0};
    struct text reply = {0}, last = {0};
    char line[MTA_LINE_MAX + 1];
    struct mta_job job = helper->job;
    job.deadline_us = peer->deadline_us;
    job.error = &error;
    bool allowed = peer->uid == 0 || peer->uid == helper->uid;
    enum status status = allowed ? read_order(helper, peer, line, &order, &error)
                                 : error_set(&error, STATUS_INVALID, "not allowed");
    if (status == STATUS_OK)
        status = mta_answer(&job, &order, &reply);
    conclude(status, error.text, order.verb == MTA_LIST, &reply, &last);
    if (allowed)
        log_order(peer, &order, status, text_string(&last), error.text);
    else
        log_throttled(SEVERITY_WARNING, "uid %u is not allowed to give orders",
                      peer->uid);
    mta_peer_send(peer, &reply);
    text_clear(&reply);
    text_clear(&last);
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

/* Our own, for the user's group once it is there. */
static int make_socket(const struct helper *helper)
{
    int fd;
    struct error error = {0};
    const char *path = helper->settings.mta.helper;
    if (listener_open(path, SOCKET_MODE, &fd, &error) != STATUS_OK)
        log_print(SEVERITY_ERROR, "%s: %s", path, error.text);
    else if (helper->uid != 0 && lchown(path, (uid_t)-1, helper->gid) != 0)
        log_print(SEVERITY_ERROR, "%s: %s", path, strerror(errno));
    else
        return fd;
    return -1;
}

static bool load(struct helper *helper, const char *path)
{
    struct problems problems = {0};
    enum status status = settings_load(path, &helper->settings, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        char text[PROBLEM_SIZE];
        problem_format(&problems.items[i], text, sizeof text);
        if (!problems.items[i].warning) /* those are mailbraked's */
            log_print(SEVERITY_ERROR, "%s", text);
    }
    problems_clear(&problems);
    if (status != STATUS_OK)
        return false;
    bool sendmail = helper->settings.mta.type == MTA_SENDMAIL;
    (void)snprintf(helper->configuration, sizeof helper->configuration, "%s%s",
                   helper->settings.mta.config_directory, sendmail ? "/sendmail.cf" : "");
    helper->job.mta = sendmail ? &mta_sendmail : &mta_postfix;
    helper->job.configuration = helper->configuration;
    return true;
}

static void find_user(struct helper *helper, const char *name)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a single thread */
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL) {
        log_print(SEVERITY_WARNING, "no user %s: orders are taken from root alone", name);
        return;
    }
    helper->uid = entry->pw_uid;
    helper->gid = entry->pw_gid;
}

/* Until SIGTERM or SIGINT, which wait while an order is done. */
static int run(struct helper *helper, bool listens)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    helper->socket = listens ? make_socket(helper) : inherit_socket();
    struct pollfd waiting[] = {
        {.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN},
        {.fd = helper->socket, .events = POLLIN}};
    if (waiting[0].fd < 0 || waiting[1].fd < 0)
        return EXIT_FAILURE;
    log_print(SEVERITY_INFO, "ready");
    (void)sd_notify(0, "READY=1");
    while (waiting[0].revents == 0) {
        if (poll(waiting, 2, -1) > 0 && waiting[1].revents != 0)
            take_peer(helper);
    }
    log_print(SEVERITY_INFO, "stopped");
    if (listens)
        (void)unlink(helper->settings.mta.helper);
    return EXIT_SUCCESS;
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
    const char *configuration = "/etc/mailbrake/mailbrake.conf";
    const char *user = "mailbrake";
    bool listens = false;
    struct helper helper = {0};
    int option;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option == 'h')
            return usage(stdout, EXIT_SUCCESS);
        if (option == 'V')
            return puts("mailbrake-mta " MAILBRAKE_VERSION) < 0;
        if (option == '?')
            return usage(stderr, EXIT_USAGE);
        configuration = option == 'c' ? optarg : configuration;
        user = option == 'u' ? optarg : user;
        listens = listens || option == 'l';
    }
    if (optind < argc)
        return usage(stderr, EXIT_USAGE);
    for (int fd = 0; fd <= 2; fd++) { /* or files of ours would take their place */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return EXIT_FAILURE;
    }
    log_open("mailbrake-mta");
    (void)signal(SIGPIPE, SIG_IGN);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a single thread */
    (void)unsetenv("TZ"); /* times are those that the MTA's programs print */
    (void)umask(077);
    if (!load(&helper, configuration))
        return EXIT_FAILURE;
    find_user(&helper, user);
    int status = run(&helper, listens);
    settings_clear(&helper.settings);
    return status;
}
