/* mailbrake-mta(8): takes orders on a socket, from root and Mailbrake only, and carries
 * them out one at a time. It is Mailbrake's only privileged program. */
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

#include "base/clock.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/output.h"
#include "helper/mta_answer.h"
#include "helper/mta_order.h"
#include "helper/mta_peer.h"

enum {
    ORDER_MS = 30000,
    FAILURE_MAX = 300,
    PROBLEM_SIZE = 1000,
    EXIT_USAGE = 2,
    SOCKET_MODE = 0660,
};

struct helper {
    const char *path; /* of our configuration */
    struct mta_settings settings;
    char configuration[4096]; /* the MTA's */
    struct mta_job job;       /* the part that all orders share */
    uid_t uid;                /* may give orders besides root; 0: no such user */
    gid_t gid;
    int socket;
};

/* ---- reading orders ---- */

/* A connection's orders: one, or the lines of a batch. */
struct request {
    bool batch;
    size_t count;
    struct mta_order *orders;
    struct mta_item *items;       /* of each order about a message */
    const struct mta_order *kind; /* of a batch: an order with the verb of all */
};

static void request_clear(struct request *request)
{
    for (size_t i = 0; request->items != NULL && i < request->count; i++)
        mta_message_clear(&request->items[i].message);
    free(request->orders);
    free(request->items);
    *request = (struct request){0};
}

static enum status request_init(struct request *request, struct error *error)
{
    request->orders = calloc(MTA_BATCH_MAX, sizeof *request->orders);
    request->items = calloc(MTA_BATCH_MAX, sizeof *request->items);
    return request->orders != NULL && request->items != NULL
               ? STATUS_OK
               : error_set(error, STATUS_NOMEM, "out of memory");
}

/* An order that is invalid, or has another verb than the rest, fails alone. */
static void read_item(struct request *request, char *line, enum mta_type type)
{
    struct mta_order *order = &request->orders[request->count];
    struct mta_item *item = &request->items[request->count++];
    item->order = order;
    item->status = mta_order_parse(line, strlen(line), type, order, &item->error);
    if (item->status != STATUS_OK)
        return;
    if (!mta_order_may_batch(order))
        item->status =
            error_set(&item->error, STATUS_INVALID, "%s is not for a batch", order->name);
    else if (request->kind != NULL && request->kind->verb != order->verb)
        item->status =
            error_set(&item->error, STATUS_INVALID, "a batch has orders of one kind");
    else
        request->kind = order;
}

/* Orders, one a line, up to an empty line or the end; then the text of their notice. */
static enum status read_batch(const struct helper *helper, struct mta_peer *peer,
                              struct request *request, struct error *error)
{
    struct text *received = &peer->received;
    enum status status =
        mta_peer_read(peer, true, MTA_BATCH_BYTES_MAX + MTA_TEXT_MAX, error);
    if (status != STATUS_OK)
        return status;
    if (received->data[received->length - 1] != '\n' ||
        memchr(received->data, '\0', received->length) != NULL)
        return error_set(error, STATUS_INVALID, "not a batch of whole lines");
    char *line = strchr(received->data, '\n') + 1;
    while (*line != '\0' && *line != '\n') {
        char *end = strchr(line, '\n');
        if (request->count == MTA_BATCH_MAX)
            return error_set(error, STATUS_INVALID, "more than %d orders", MTA_BATCH_MAX);
        *end = '\0';
        read_item(request, line, helper->settings.type);
        line = end + 1;
    }
    if (request->count == 0)
        return error_set(error, STATUS_INVALID, "a batch without orders");
    line += *line == '\n';
    for (size_t i = 0; i < request->count; i++) {
        request->orders[i].text = line;
        request->orders[i].text_length = strlen(line);
    }
    return STATUS_OK;
}

/* line: the order borrows from it; received, which grows, has a copy. */
static enum status read_alone(const struct helper *helper, struct mta_peer *peer,
                              char line[MTA_LINE_MAX + 1], struct mta_order *out,
                              struct error *error)
{
    struct text *received = &peer->received;
    size_t length = strlen(line);
    enum status status = mta_order_parse(line, length, helper->settings.type, out, error);
    if (status == STATUS_OK && out->has_text)
        status = mta_peer_read(peer, true, length + 1 + MTA_TEXT_MAX, error);
    else if (status == STATUS_OK && received->length > length + 1)
        status = error_set(error, STATUS_INVALID, "more than one line");
    out->text = received->data + length + 1;
    out->text_length = received->length - length - 1;
    return status;
}

static enum status read_request(const struct helper *helper, struct mta_peer *peer,
                                char line[MTA_LINE_MAX + 1], struct request *out,
                                struct error *error)
{
    struct text *received = &peer->received;
    enum status status = mta_peer_read(peer, false, MTA_BATCH_BYTES_MAX, error);
    if (status != STATUS_OK)
        return status;
    const char *end = memchr(received->data, '\n', received->length);
    size_t length = (size_t)(end - received->data);
    if (length > MTA_LINE_MAX)
        return error_set(error, STATUS_INVALID, "the line is too long");
    memcpy(line, received->data, length);
    line[length] = '\0';
    out->batch = strcmp(line, "batch") == 0;
    if (strlen(line) != length)
        return error_set(error, STATUS_INVALID, "not an order: a NUL");
    if (out->batch) {
        status = read_batch(helper, peer, out, error);
    } else {
        status = read_alone(helper, peer, line, &out->orders[0], error);
        out->items[0].order = &out->orders[0];
        out->count = 1;
    }
    if (status == STATUS_OK && !mta_peer_waits(peer))
        status = error_set(error, STATUS_UNAVAILABLE, "the peer has hung up");
    return status;
}

/* ---- answers ---- */

/* "ok", "missing", or "error TEXT"; the text may be the MTA's. */
static void add_result(enum status status, const char *failure, struct text *out)
{
    if (status == STATUS_OK) {
        text_add_string(out, "ok");
    } else if (status == STATUS_NOT_FOUND) {
        text_add_string(out, "missing");
    } else {
        char cut[FAILURE_MAX + 1];
        (void)snprintf(cut, sizeof cut, "%.*s", FAILURE_MAX, failure);
        text_add_string(out, "error ");
        output_add_clean(out, cut);
    }
}

/* What a read-only order found, in a line. */
static void add_found(const struct mta_item *item, struct text *out)
{
    const char *hold_headers = text_string(&item->message.hold_headers);
    const char *last = strrchr(hold_headers, '\n');
    if (item->order->verb == MTA_ENVELOPE) {
        text_add_string(out, " ");
        mta_message_envelope(&item->message, out);
    } else if (item->order->verb == MTA_RECIPIENTS) {
        text_add_string(out, " ");
        mta_message_addresses(&item->message, out);
    } else if (item->order->verb == MTA_HEADER && item->message.hold_header_count > 0) {
        text_printf(out, " %s", last == NULL ? hold_headers : last + 1);
    }
}

static void add_item(const struct mta_item *item, struct text *out)
{
    add_result(item->status, item->error.text, out);
    if (item->status == STATUS_OK && item->untold)
        text_add_string(out, " untold");
    if (item->status == STATUS_OK)
        add_found(item, out);
}

static void log_result(const struct mta_peer *peer, const struct mta_order *order,
                       const char *result, enum status status, const char *why)
{
    struct text line = {0};
    int64_t left_ms = clock_left_ms(peer->deadline_us);
    bool failed = status != STATUS_OK && status != STATUS_NOT_FOUND;
    log_field_number(&line, "uid", peer->uid);
    log_field(&line, "order", order->name == NULL ? "-" : order->name);
    if (order->queue_id != NULL)
        log_field(&line, "qid", order->queue_id);
    if (order->hold_id != NULL)
        log_field(&line, "hold_id", order->hold_id);
    log_field(&line, "result", result);
    if (status == STATUS_NOT_FOUND)
        log_field(&line, "why", why);
    log_field_number(&line, "ms", ORDER_MS - left_ms);
    log_line(failed ? SEVERITY_WARNING : SEVERITY_INFO, &line);
    text_clear(&line);
}

static bool is_look(const struct mta_order *order)
{
    return order->verb == MTA_HEADER || order->verb == MTA_ENVELOPE ||
           order->verb == MTA_RECIPIENTS;
}

static void log_item(const struct mta_peer *peer, const struct mta_item *item)
{
    struct text result = {0};
    add_result(item->status, item->error.text, &result);
    if (item->status == STATUS_OK && item->untold)
        text_add_string(&result, " untold");
    log_result(peer, item->order, text_string(&result), item->status, item->error.text);
    text_clear(&result);
}

/* A line for each order, then their number. Successful read-only orders share one line of
 * the log. */
static void answer_batch(const struct mta_peer *peer, const struct request *request,
                         struct text *reply)
{
    size_t looks = 0;
    char result[40];
    for (size_t i = 0; i < request->count; i++) {
        const struct mta_item *item = &request->items[i];
        bool looked = item->status == STATUS_OK && is_look(item->order);
        add_item(item, reply);
        text_add_string(reply, "\n");
        looks += looked;
        if (!looked)
            log_item(peer, item);
    }
    text_printf(reply, "ok %zu\n", request->count);
    (void)snprintf(result, sizeof result, "ok %zu", looks);
    const struct mta_order all = {.name =
                                      request->kind == NULL ? NULL : request->kind->name};
    if (looks > 0)
        log_result(peer, &all, result, STATUS_OK, "");
}

/* A single order about a message: header has a line for each field. */
static void answer_one(const struct mta_peer *peer, const struct mta_item *item,
                       struct text *reply)
{
    const struct text *hold_headers = &item->message.hold_headers;
    bool ok = item->status == STATUS_OK;
    if (ok && item->order->verb == MTA_HEADER && item->message.hold_header_count > 0)
        text_printf(reply, "%s\n", text_string(hold_headers));
    if (ok && item->order->verb == MTA_ENVELOPE) {
        mta_message_envelope(&item->message, reply);
        text_add_string(reply, "\n");
    }
    if (ok && item->order->verb == MTA_RECIPIENTS) {
        mta_message_addresses(&item->message, reply);
        text_add_string(reply, "\n");
    }
    add_result(item->status, item->error.text, reply);
    text_add_string(reply, ok && item->untold ? " untold\n" : "\n");
    log_item(peer, item);
}

/* list, notice, queue and content, and anything that is not an order. */
static void answer_alone(const struct mta_peer *peer, const struct mta_order *order,
                         enum status status, const char *failure, struct text *reply)
{
    size_t lines = 0;
    struct text last = {0};
    for (size_t i = 0; i < reply->length; i++)
        lines += reply->data[i] == '\n';
    if (status != STATUS_OK)
        text_reset(reply);
    add_result(status, failure, &last);
    if (status == STATUS_OK && order->verb == MTA_LIST)
        text_printf(&last, " %zu", lines);
    text_printf(reply, "%s\n", text_string(&last));
    log_result(peer, order, text_string(&last), status, failure);
    text_clear(&last);
}

/* As the configuration says now: mailbraked's is reloaded, too. */
static enum status find_content(const struct helper *helper, struct mta_job *job)
{
    struct mta_settings settings;
    struct problems problems = {0};
    enum status status = mta_settings_load(helper->path, &settings, &problems);
    job->content = settings.content;
    problems_clear(&problems);
    mta_settings_clear(&settings);
    return status == STATUS_OK ? STATUS_OK
                               : error_set(job->error, status,
                                           "the configuration has errors, so it is not "
                                           "known what may be shown");
}

static void carry_out(const struct helper *helper, const struct mta_peer *peer,
                      struct mta_job *job, struct request *request, struct text *reply)
{
    if (!request->batch && !mta_order_may_batch(&request->orders[0])) {
        enum status status = request->orders[0].verb == MTA_CONTENT
                                 ? find_content(helper, job)
                                 : STATUS_OK;
        if (status == STATUS_OK)
            status = mta_answer_alone(job, &request->orders[0], reply);
        answer_alone(peer, &request->orders[0], status, job->error->text, reply);
        return;
    }
    mta_answer(job, request->items, request->count);
    if (request->batch)
        answer_batch(peer, request, reply);
    else
        answer_one(peer, &request->items[0], reply);
}

static void serve(const struct helper *helper, struct mta_peer *peer)
{
    struct error error = {0};
    struct request request = {0};
    struct text reply = {0};
    struct mta_setup setup = {0};
    char line[MTA_LINE_MAX + 1];
    struct mta_job job = helper->job;
    job.deadline_us = peer->deadline_us;
    job.error = &error;
    job.setup = &setup;
    if (peer->uid != 0 && peer->uid != helper->uid) {
        log_throttled(SEVERITY_WARNING, "uid %u is not allowed to give orders",
                      peer->uid);
        text_add_string(&reply, "error not allowed\n");
    } else {
        enum status status = request_init(&request, &error);
        if (status == STATUS_OK)
            status = read_request(helper, peer, line, &request, &error);
        const struct mta_order nothing = {0};
        if (status == STATUS_OK)
            carry_out(helper, peer, &job, &request, &reply);
        else
            answer_alone(
                peer, request.orders == NULL || request.batch ? &nothing : request.orders,
                status, error.text, &reply);
    }
    mta_peer_send(peer, &reply);
    text_clear(&reply);
    request_clear(&request);
}

static void take_peer(const struct helper *helper)
{
    struct mta_peer peer;
    int fd = accept4(helper->socket, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            log_throttled(SEVERITY_ERROR, "accept: %s", strerror(errno));
            (void)poll(NULL, 0, 100); /* the error may persist: don't spin */
        }
        return;
    }
    int64_t deadline_us = clock_deadline_us(ORDER_MS);
    if (mta_peer_init(&peer, fd, deadline_us) == STATUS_OK)
        serve(helper, &peer);
    mta_peer_clear(&peer);
}

/* ---- start ---- */

/* From systemd, exactly one. */
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

/* Our own, which the user's group may use, if there is such a user. */
static int make_socket(const struct helper *helper)
{
    int fd;
    struct error error = {0};
    const char *path = helper->settings.helper;
    if (listener_open(path, SOCKET_MODE, &fd, &error) != STATUS_OK)
        log_print(SEVERITY_ERROR, "%s: %s", path, error.text);
    else if (helper->uid != 0 && lchown(path, (uid_t)-1, helper->gid) != 0)
        log_print(SEVERITY_ERROR, "%s: %s", path, strerror(errno));
    else
        return fd;
    return -1;
}

static bool load(struct helper *helper)
{
    struct problems problems = {0};
    enum status status = mta_settings_load(helper->path, &helper->settings, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        char text[PROBLEM_SIZE];
        problem_format(&problems.items[i], text, sizeof text);
        if (!problems.items[i].warning) /* mailbraked reports those */
            log_print(SEVERITY_ERROR, "%s", text);
    }
    problems_clear(&problems);
    if (status != STATUS_OK)
        return false;
    bool sendmail = helper->settings.type == MTA_SENDMAIL;
    (void)snprintf(helper->configuration, sizeof helper->configuration, "%s%s",
                   helper->settings.config_directory, sendmail ? "/sendmail.cf" : "");
    helper->job.mta = sendmail ? &mta_sendmail : &mta_postfix;
    helper->job.configuration = helper->configuration;
    return true;
}

static void find_user(struct helper *helper, const char *name)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a single thread */
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL) {
        log_print(SEVERITY_WARNING, "no user %s: orders are accepted only from root",
                  name);
        return;
    }
    helper->uid = entry->pw_uid;
    helper->gid = entry->pw_gid;
}

/* Until SIGTERM or SIGINT, which are handled between orders. */
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
        (void)unlink(helper->settings.helper);
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
    for (int fd = 0; fd <= 2; fd++) { /* else a file we open would be standard output */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return EXIT_FAILURE;
    }
    log_open("mailbrake-mta");
    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(077);
    helper.path = configuration;
    if (!load(&helper))
        return EXIT_FAILURE;
    find_user(&helper, user);
    int status = run(&helper, listens);
    mta_settings_clear(&helper.settings);
    return status;
}
