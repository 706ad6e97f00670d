/* One connection with one deadline. Only root can create the helper's socket, so its
 * identity is trusted, but not its speed or the length of its answers. */
#include "quarantine/helper.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue_id.h"
#include "base/smtp_address.h"
#include "base/text.h"
#include "base/utf8.h"

enum {
    LIST_BYTES_MAX = 64 * 1024 * 1024,
    REPLY_BYTES_MAX = 1024 * 1024, /* of a batch */
    READ_BYTES = 16 * 1024,
    RETRY_MS = 10, /* when the helper's backlog is full */
};

/* One connection: an order and its answer. */
struct exchange {
    int fd;
    int64_t deadline_us;
    struct error *error;
    struct text order, reply; /* owned; of the reply, its lines without the last */
    long long number;         /* of that one if it is "ok N", else -1 */
};

static struct exchange make_exchange(int64_t deadline_us, struct error *error)
{
    return (struct exchange){.fd = -1, .deadline_us = deadline_us, .error = error};
}

static void exchange_clear(struct exchange *exchange)
{
    text_clear(&exchange->order);
    text_clear(&exchange->reply);
}

static enum status fail(const struct exchange *exchange, const char *what)
{
    return error_set(exchange->error, STATUS_UNAVAILABLE, "mailbrake-mta: %s: %s", what,
                     strerror(errno));
}

/* Waits until the socket is ready; ETIMEDOUT at the deadline. */
static bool await(const struct exchange *exchange, short events)
{
    struct pollfd fd = {.fd = exchange->fd, .events = events};
    for (;;) {
        int left_ms = clock_left_ms(exchange->deadline_us);
        int ready = left_ms > 0 ? poll(&fd, 1, left_ms) : 0;
        if (ready > 0)
            return true;
        if (ready == 0 && left_ms == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

static enum status open_socket(struct exchange *exchange, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path)
        return error_set(exchange->error, STATUS_UNAVAILABLE,
                         "mailbrake-mta: the socket's path is too long");
    memcpy(address.sun_path, path, length + 1);
    exchange->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (exchange->fd < 0)
        return fail(exchange, "socket");
    while (connect(exchange->fd, (const struct sockaddr *)&address, sizeof address) !=
           0) {
        if (errno != EAGAIN && errno != EINTR)
            return fail(exchange, path);
        if (clock_left_ms(exchange->deadline_us) == 0) {
            errno = ETIMEDOUT;
            return fail(exchange, path);
        }
        (void)poll(NULL, 0, RETRY_MS);
    }
    return STATUS_OK;
}

/* A helper that already has an answer may hang up before it has read everything. */
static enum status send_all(const struct exchange *exchange)
{
    const char *data = exchange->order.data;
    size_t length = exchange->order.length;
    while (length > 0) {
        ssize_t sent = send(exchange->fd, data, length, MSG_NOSIGNAL);
        if (sent >= 0) {
            data += sent;
            length -= (size_t)sent;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return STATUS_OK;
        } else if (errno != EINTR && (errno != EAGAIN || !await(exchange, POLLOUT))) {
            return fail(exchange, "sending");
        }
    }
    (void)shutdown(exchange->fd, SHUT_WR);
    return STATUS_OK;
}

static enum status receive_all(struct exchange *exchange)
{
    char buffer[READ_BYTES];
    struct text *reply = &exchange->reply;
    bool list = strcmp(exchange->order.data, "list\n") == 0 ||
                text_after(exchange->order.data, "batch\nrecipients ") != NULL;
    size_t max = list ? LIST_BYTES_MAX : REPLY_BYTES_MAX;
    for (;;) {
        ssize_t received = recv(exchange->fd, buffer, sizeof buffer, 0);
        /* ECONNRESET: it closed with a part of the order unread */
        if (received == 0 || (received < 0 && errno == ECONNRESET))
            return reply->failed ? STATUS_NOMEM : STATUS_OK;
        if (received < 0) {
            if (errno == EINTR || (errno == EAGAIN && await(exchange, POLLIN)))
                continue;
            return fail(exchange, "waiting for the answer");
        }
        text_add(reply, buffer, (size_t)received);
        if (reply->length > max)
            return error_set(exchange->error, STATUS_UNAVAILABLE,
                             "mailbrake-mta: the answer is too long");
    }
}

/* Removes the last line, which holds the result. */
static enum status take_result(struct exchange *exchange)
{
    static const char failed[] = "error ";
    struct text *reply = &exchange->reply;
    struct error *error = exchange->error;
    size_t length = reply->length;
    if (length == 0 || reply->data[length - 1] != '\n' ||
        memchr(reply->data, '\0', length) != NULL)
        return error_set(error, STATUS_UNAVAILABLE,
                         "mailbrake-mta: the answer breaks off");
    reply->data[--length] = '\0';
    char *line = strrchr(reply->data, '\n');
    line = line == NULL ? reply->data : line + 1;
    enum status status;
    char end = '\0';
    exchange->number = -1;
    /* NOLINTNEXTLINE(cert-err34-c): saturates */
    if (strcmp(line, "ok") == 0 ||
        sscanf(line, "ok %lld%c", &exchange->number, &end) == 1)
        status = STATUS_OK;
    else if (strcmp(line, "missing") == 0)
        status = error_set(error, STATUS_NOT_FOUND, "the message is not in the queue");
    else if (strncmp(line, failed, sizeof failed - 1) == 0)
        status = error_set(error, STATUS_INVALID, "%s", line + sizeof failed - 1);
    else
        status = error_set(error, STATUS_UNAVAILABLE,
                           "mailbrake-mta: the answer can't be understood");
    *line = '\0';
    reply->length = (size_t)(line - reply->data);
    return status;
}

/* Sends the order and reads its answer. */
static enum status ask(struct exchange *exchange, const char *socket)
{
    enum status status =
        exchange->order.failed ? STATUS_NOMEM : open_socket(exchange, socket);
    if (status == STATUS_OK)
        status = send_all(exchange);
    if (status == STATUS_OK)
        status = receive_all(exchange);
    if (exchange->fd >= 0)
        (void)close(exchange->fd);
    if (status == STATUS_NOMEM)
        return error_set(exchange->error, status, "out of memory");
    return status == STATUS_OK ? take_result(exchange) : status;
}

static bool has_controls(const char *text)
{
    while ((unsigned char)*text >= ' ' && *text != 0x7f)
        text++;
    return *text != '\0';
}

/* True for one word of an order's line, which blanks outside quotes would split. */
static bool is_word(const char *word)
{
    return word[0] != '\0' && !has_controls(word) &&
           smtp_address_word(word) == strlen(word);
}

/* Reads one line of a list; false when it is invalid. */
static bool read_line(const char *line, size_t length,
                      void (*each)(void *context, const struct queued *queued),
                      void *context)
{
    struct text clean = {0};
    struct queued queued;
    json_int_t arrived = 0;
    utf8_add(&clean, line, length);
    json_t *json =
        clean.failed ? NULL : json_loadb(clean.data, clean.length, JSON_ALLOW_NUL, NULL);
    bool read =
        json != NULL && json_unpack(json, "{s:s, s:s, s:s, s:I}", "queue_name",
                                    &queued.queue, "queue_id", &queued.queue_id, "sender",
                                    &queued.sender, "arrival_time", &arrived) == 0;
    if (read && each != NULL) {
        queued.arrived_s = arrived;
        queued.recipients = json_integer_value(json_object_get(json, "recipients"));
        each(context, &queued);
    }
    json_decref(json);
    text_clear(&clean);
    return read;
}

/* Reads all lines; with each NULL it only checks them. Their number, or -1. */
static long long read_lines(const struct text *lines,
                            void (*each)(void *context, const struct queued *queued),
                            void *context)
{
    long long count = 0;
    const char *line = text_string(lines);
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        if (!read_line(line, length, each, context))
            return -1;
        count++;
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    return count;
}

enum status helper_list(const char *socket, int timeout_ms,
                        void (*each)(void *context, const struct queued *queued),
                        void *context, struct error *error)
{
    struct exchange exchange = make_exchange(clock_deadline_us(timeout_ms), error);
    text_add_string(&exchange.order, "list\n");
    enum status status = ask(&exchange, socket);
    if (status == STATUS_OK) { /* with half a list, mail would seem to be gone */
        long long count = read_lines(&exchange.reply, NULL, NULL);
        if (count < 0 || (exchange.number >= 0 && exchange.number != count))
            status = error_set(error, STATUS_UNAVAILABLE,
                               "mailbrake-mta: the list can't be read");
        else
            (void)read_lines(&exchange.reply, each, context);
    }
    exchange_clear(&exchange);
    return status;
}

enum status helper_queue(const char *socket, int timeout_ms, struct text *out,
                         struct error *error)
{
    struct exchange exchange = make_exchange(clock_deadline_us(timeout_ms), error);
    text_add_string(&exchange.order, "queue\n");
    enum status status = ask(&exchange, socket);
    const char *folder = text_string(&exchange.reply);
    if (status == STATUS_OK && folder[0] != '/')
        status = error_set(error, STATUS_UNAVAILABLE,
                           "mailbrake-mta: the queue's folder can't be read");
    if (status == STATUS_OK)
        text_add(out, folder, strcspn(folder, "\n"));
    exchange_clear(&exchange);
    return status;
}

enum status helper_content(const char *socket, int timeout_ms, const char *queue_id,
                           const char *check, bool whole, struct text *out,
                           struct error *error)
{
    struct exchange exchange = make_exchange(clock_deadline_us(timeout_ms), error);
    if (!queue_id_is_valid(queue_id) || !is_word(check))
        return error_set(error, STATUS_INVALID, "this can't be ordered in one line");
    text_printf(&exchange.order, "content %s %s %s\n", queue_id, check,
                whole ? "text" : "subject");
    enum status status = ask(&exchange, socket);
    if (status == STATUS_OK)
        text_add(out, text_string(&exchange.reply), exchange.reply.length);
    exchange_clear(&exchange);
    return status == STATUS_OK && out->failed
               ? error_set(error, STATUS_NOMEM, "out of memory")
               : status;
}

enum status helper_notice(const char *socket, int timeout_ms, const char *addresses,
                          const char *text, struct error *error)
{
    struct exchange exchange = make_exchange(clock_deadline_us(timeout_ms), error);
    if (has_controls(addresses))
        return error_set(error, STATUS_INVALID, "an address is not valid");
    text_printf(&exchange.order, "notice %s\n", addresses);
    text_add_string(&exchange.order, text);
    enum status status = ask(&exchange, socket);
    exchange_clear(&exchange);
    return status;
}

/* ---- batches ---- */

static void fail_order(struct helper_order *order, enum status status, const char *why)
{
    order->status = error_set(&order->error, status, "%.64s: %s", order->queue_id, why);
}

/* An order with an invalid id or word is not sent. */
static bool add_order(const char *verb, struct helper_order *order, struct text *lines)
{
    const char *const words[] = {order->check, order->address};
    order->status = STATUS_OK;
    if (!queue_id_is_valid(order->queue_id))
        fail_order(order, STATUS_INVALID, "not a queue id");
    for (size_t i = 0; i < 2; i++) {
        if (words[i] != NULL && !is_word(words[i]))
            fail_order(order, STATUS_INVALID, "this can't be ordered in one line");
    }
    if (order->status != STATUS_OK)
        return false;
    text_printf(lines, "%s %s", verb, order->queue_id);
    for (size_t i = 0; i < 2; i++)
        text_printf(lines, "%s%s", words[i] == NULL ? "" : " ",
                    words[i] == NULL ? "" : words[i]);
    text_add_string(lines, "\n");
    return true;
}

/* One line of the answer. */
static void take_answer(struct helper_order *order, const char *line)
{
    const char *words;
    if (strcmp(line, "missing") == 0)
        fail_order(order, STATUS_NOT_FOUND, "the message is not in the queue");
    else if ((words = text_after(line, "error ")) != NULL)
        fail_order(order, STATUS_INVALID, words);
    else if (strcmp(line, "ok untold") == 0)
        order->untold = true;
    else if ((words = text_after(line, "ok")) == NULL ||
             (*words != ' ' && *words != '\0'))
        fail_order(order, STATUS_UNAVAILABLE,
                   "mailbrake-mta's answer can't be understood");
    else if (order->check == NULL &&
             (order->value = strdup(words + (*words == ' '))) == NULL)
        fail_order(order, STATUS_NOMEM, "out of memory");
}

/* sent: the orders sent; the answer must have as many lines. */
static enum status take_answers(struct text *reply, struct helper_order *const *sent,
                                size_t count, struct error *error)
{
    size_t lines = 0;
    char *line = reply->data;
    for (size_t i = 0; i < reply->length; i++)
        lines += reply->data[i] == '\n';
    if (lines != count)
        return error_set(error, STATUS_UNAVAILABLE,
                         "mailbrake-mta: %zu answers to %zu orders", lines, count);
    for (size_t i = 0; i < count; i++) {
        char *end = strchr(line, '\n');
        *end = '\0';
        take_answer(sent[i], line);
        line = end + 1;
    }
    return STATUS_OK;
}

enum status helper_do(const char *socket, int64_t deadline_us, const char *verb,
                      struct helper_order *orders, size_t count, const char *text,
                      struct error *error)
{
    struct exchange exchange = make_exchange(deadline_us, error);
    struct helper_order *sent[HELPER_BATCH_MAX];
    struct text *lines = &exchange.order;
    size_t sent_count = 0;
    enum status status = STATUS_OK;
    text_add_string(lines, "batch\n");
    for (size_t i = 0; i < count && i < HELPER_BATCH_MAX; i++) {
        if (add_order(verb, &orders[i], lines))
            sent[sent_count++] = &orders[i];
    }
    if (text != NULL)
        text_printf(lines, "\n%s", text);
    if (sent_count > 0) {
        status = ask(&exchange, socket);
        if (status == STATUS_OK)
            status = take_answers(&exchange.reply, sent, sent_count, error);
    }
    for (size_t i = 0; i < sent_count && status != STATUS_OK; i++)
        sent[i]->status = error_set(&sent[i]->error, status, "%s", error->text);
    exchange_clear(&exchange);
    return status;
}
