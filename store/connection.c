/* hiredis without its own waiting: poll(2) here waits until an absolute deadline, where
 * redisSetTimeout would grant each read() anew. Most replies come sooner than READ_MS: a
 * read waits for so long, and poll(2) is spared. */
#include "store/connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/tls.h"

#if HIREDIS_MAJOR < 1 /* Debian 12 */
typedef int array_length;
#else
typedef size_t array_length;
#endif

struct connection {
    redisContext *context;
    struct ssl_st *session;              /* of TLS; NULL: in clear text. The context's */
    redisReplyObjectFunctions functions; /* the context's, with capped_array */
    void *(*create_array)(const redisReadTask *task, array_length elements);
    int depth;     /* of arrays in the reply that is awaited */
    bool answered; /* ever */
    bool movable, moved;
    struct detour *detour;
    bool capped; /* an array was refused, so what looks like no memory is none */
};

enum {
    READ_MS = 5,
    REFUSAL_MAX = 150, /* bytes of an error of Redis that are shown */
};

static const char late[] = "no answer in time";

/* hiredis allocates as many elements as the server promises. No reply that is awaited
 * here is longer, or nested deeper, than this. */
static void *capped_array(const redisReadTask *task, array_length elements)
{
    struct connection *connection = task->privdata;
    int depth = 0;
    for (const redisReadTask *parent = task->parent; parent != NULL;
         parent = parent->parent)
        depth++;
    connection->capped = elements > CONNECTION_ELEMENTS_MAX || depth > connection->depth;
    if (connection->capped)
        return NULL;
    return connection->create_array(task, elements);
}

static void cap_arrays(struct connection *connection)
{
    redisReader *reader = connection->context->reader;
    connection->functions = *reader->fn;
    connection->create_array = connection->functions.createArray;
    connection->functions.createArray = capped_array;
    reader->fn = &connection->functions;
    reader->privdata = connection;
}

/* IO at the deadline, or when poll itself fails. */
static enum status wait_for(const struct connection *connection, short events,
                            int64_t deadline_us, struct error *error)
{
    struct pollfd fd = {.fd = connection->context->fd, .events = events};
    for (;;) {
        int left_ms = clock_left_ms(deadline_us);
        if (left_ms == 0)
            return error_set(error, STATUS_IO, "%s", late);
        int ready = poll(&fd, 1, left_ms);
        if (ready > 0)
            return STATUS_OK;
        if (ready < 0 && errno != EINTR)
            return error_set(error, STATUS_IO, "poll: %s", strerror(errno));
    }
}

/* From here on a read may wait a little; a send names MSG_DONTWAIT. hiredis itself still
 * takes the context for non-blocking, so a read without data is none of its errors. */
static bool make_blocking(int fd)
{
    const struct timeval patience = {.tv_usec = READ_MS * 1000};
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0;
}

static enum status start_tls(struct connection *connection,
                             const struct connection_address *address,
                             int64_t deadline_us, struct error *error)
{
    short events = 0;
    enum status status = tls_begin(address->tls, connection->context, address->host,
                                   &connection->session, error);
    while (status == STATUS_OK) {
        status = tls_step(connection->session, address->host, &events, error);
        if (status != STATUS_OK || events == 0)
            break;
        status = wait_for(connection, events, deadline_us, error);
        if (status == STATUS_IO)
            (void)error_set(error, status, "no answer to the TLS handshake in time");
    }
    return status;
}

/* Debian's Redis has its socket commented out, and for its group alone. */
static const char *socket_advice(const char *path)
{
    if (access(path, F_OK) != 0)
        return "; is unixsocket set in redis.conf, and Redis running?";
    return access(path, W_OK) != 0 ? "; the user of mailbraked must be in its group" : "";
}

static enum status connect_to(struct connection *connection,
                              const struct connection_address *address,
                              int64_t deadline_us, struct error *error)
{
    int failure = 0;
    socklen_t length = sizeof failure;
    connection->context = address->host != NULL
                              ? redisConnectNonBlock(address->host, address->port)
                              : redisConnectUnixNonBlock(address->path);
    if (connection->context == NULL)
        return STATUS_NOMEM;
    if (connection->context->err != 0)
        return error_set(error, STATUS_NOT_FOUND, "%s%s", connection->context->errstr,
                         address->path != NULL ? socket_advice(address->path) : "");
    enum status status = wait_for(connection, POLLOUT, deadline_us, error);
    if (status != STATUS_OK)
        return status;
    if (getsockopt(connection->context->fd, SOL_SOCKET, SO_ERROR, &failure, &length) != 0)
        failure = errno;
    if (failure != 0)
        return error_set(error, STATUS_NOT_FOUND, "%s", strerror(failure));
    if (address->host != NULL && redisEnableKeepAlive(connection->context) != REDIS_OK)
        return error_set(error, STATUS_IO, "%s", connection->context->errstr);
    if (address->tls != NULL)
        status = start_tls(connection, address, deadline_us, error);
    else if (!make_blocking(connection->context->fd))
        status = error_set(error, STATUS_IO, "%s", strerror(errno));
    if (status == STATUS_OK)
        cap_arrays(connection);
    return status;
}

/* One of the commands that open a connection: its reply must be no error. */
static enum status greet(struct connection *connection, int count, const char **words,
                         const char *login_settings, int64_t deadline_us,
                         struct error *error)
{
    redisReply *reply = NULL;
    enum status status =
        connection_ask_words(connection, count, words, 0, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    assert(reply != NULL);
    if (reply->type == REDIS_REPLY_ERROR && strcmp(words[0], "AUTH") == 0)
        status = error_set(error, STATUS_UNAVAILABLE, "AUTH: %s (%s)", reply->str,
                           login_settings);
    else if (reply->type != REDIS_REPLY_STATUS)
        status = error_set(error, STATUS_UNAVAILABLE, "%s: %s", words[0],
                           reply->type == REDIS_REPLY_ERROR ? reply->str
                                                            : "an unexpected reply");
    freeReplyObject(reply);
    return status;
}

static enum status log_in(struct connection *connection,
                          const struct connection_address *address, int64_t deadline_us,
                          struct error *error)
{
    enum status status = STATUS_OK;
    if (address->username[0] != '\0')
        status = greet(connection, 3,
                       (const char *[]){"AUTH", address->username, address->password},
                       address->login_settings, deadline_us, error);
    else if (address->password[0] != '\0')
        status = greet(connection, 2, (const char *[]){"AUTH", address->password},
                       address->login_settings, deadline_us, error);
    if (status == STATUS_OK && address->database != 0) {
        char number[16];
        (void)snprintf(number, sizeof number, "%d", address->database);
        status = greet(connection, 2, (const char *[]){"SELECT", number}, NULL,
                       deadline_us, error);
    }
    return status;
}

enum status connection_open(const struct connection_address *address, int64_t deadline_us,
                            struct connection **out_connection, struct error *error)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return STATUS_NOMEM;
    connection->movable = address->movable;
    enum status status = connect_to(connection, address, deadline_us, error);
    if (status == STATUS_OK)
        status = log_in(connection, address, deadline_us, error);
    if (status != STATUS_OK) {
        connection_free(connection);
        return status;
    }
    *out_connection = connection;
    return STATUS_OK;
}

/* hiredis could not read or write. */
static enum status broken(const struct connection *connection, struct error *error)
{
    const redisContext *context = connection->context;
    bool over_tcp = context->connection_type == REDIS_CONN_TCP;
    bool hint = connection->session == NULL && over_tcp && !connection->answered;
    (void)error_set(error, STATUS_IO, "%s%s", context->errstr,
                    hint ? "; is it a port for TLS? Write \"tls:HOST:PORT\"" : "");
    return connection->session == NULL
               ? STATUS_IO
               : tls_fault(connection->session, connection->answered, error);
}

/* The programs ignore SIGPIPE. */
static enum status send_encrypted(struct connection *connection, const char *request,
                                  size_t length, int64_t deadline_us, struct error *error)
{
    int done = 0;
    if (redisAppendFormattedCommand(connection->context, request, length) != REDIS_OK)
        return error_set(error, STATUS_NOMEM, "out of memory");
    for (;;) {
        tls_prepare();
        if (redisBufferWrite(connection->context, &done) != REDIS_OK)
            return broken(connection, error);
        if (done)
            return STATUS_OK;
        enum status status = wait_for(connection, POLLOUT, deadline_us, error);
        if (status != STATUS_OK)
            return status;
    }
}

/* In clear text by send(2) and not redisBufferWrite, whose write(2) may raise SIGPIPE. */
enum status connection_send(struct connection *connection, const char *request,
                            size_t length, int64_t deadline_us, struct error *error)
{
    size_t sent = 0;
    connection->depth = 0;
    if (connection->session != NULL)
        return send_encrypted(connection, request, length, deadline_us, error);
    while (sent < length) {
        ssize_t count = send(connection->context->fd, request + sent, length - sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            sent += (size_t)count;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return error_set(error, STATUS_IO, "%s", strerror(errno));
        enum status status = wait_for(connection, POLLOUT, deadline_us, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* What a reply is that hiredis can't read: ours is the fault when there is no memory. */
static enum status odd_reply(const struct connection *connection)
{
    bool empty = connection->context->err == REDIS_ERR_OOM && !connection->capped;
    return empty ? STATUS_NOMEM : STATUS_UNAVAILABLE;
}

/* The scripts of documents pass on what Redis says to one of their commands. */
static bool says_moved(const redisReply *reply)
{
    return connection_refuses(reply, "MOVED") || connection_refuses(reply, "READONLY") ||
           (connection_refuses(reply, "REFUSED") && strstr(reply->str, " READONLY "));
}

enum status connection_receive(struct connection *connection, int64_t deadline_us,
                               redisReply **out_reply, struct error *error)
{
    redisContext *context = connection->context;
    void *reply = NULL;
    size_t received = 0;
    bool waited = false; /* the first read has */
    for (;;) {
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK)
            return error_set(error, odd_reply(connection), "%s", context->errstr);
        if (reply != NULL)
            break;
        if (received > CONNECTION_REPLY_BYTES_MAX)
            return error_set(error, STATUS_UNAVAILABLE, "a reply without end");
        enum status status =
            waited ? wait_for(connection, POLLIN, deadline_us, error) : STATUS_OK;
        if (status != STATUS_OK)
            return status;
        size_t before = context->reader->len;
        if (connection->session != NULL)
            tls_prepare();
        if (redisBufferRead(context) != REDIS_OK)
            return broken(connection, error);
        received += context->reader->len - before;
        waited = true;
    }
    if (context->reader->pos < context->reader->len) {
        freeReplyObject(reply);
        return error_set(error, STATUS_UNAVAILABLE, "a reply without a request");
    }
    connection->answered = true;
    connection->moved = connection->movable && says_moved(reply);
    *out_reply = reply;
    return STATUS_OK;
}

static enum status send_command(struct connection *connection,
                                const struct connection_command *command,
                                int64_t deadline_us, struct error *error)
{
    char *request = NULL;
    if (command->count == 0)
        return connection_send(connection, command->request, command->request_length,
                               deadline_us, error);
    long long length = redisFormatCommandArgv(&request, command->count, command->words,
                                              command->lengths);
    if (length < 0)
        return error_set(error, STATUS_NOMEM, "out of memory");
    enum status status =
        connection_send(connection, request, (size_t)length, deadline_us, error);
    redisFreeCommand(request);
    return status;
}

enum status connection_ask(struct connection *connection,
                           const struct connection_command *command, int64_t deadline_us,
                           struct redisReply **out_reply, struct error *error)
{
    enum status status = send_command(connection, command, deadline_us, error);
    if (status != STATUS_OK)
        return status;
    connection->depth = command->depth;
    return connection_receive(connection, deadline_us, out_reply, error);
}

enum status connection_ask_words(struct connection *connection, int count,
                                 const char *const *words, int depth, int64_t deadline_us,
                                 struct redisReply **out_reply, struct error *error)
{
    const char *said[CONNECTION_WORDS_MAX];
    size_t lengths[CONNECTION_WORDS_MAX];
    assert(count <= CONNECTION_WORDS_MAX);
    for (int i = 0; i < count; i++) {
        said[i] = words[i];
        lengths[i] = strlen(words[i]);
    }
    const struct connection_command command = {
        .count = count, .words = said, .lengths = lengths, .depth = depth};
    return connection_ask(connection, &command, deadline_us, out_reply, error);
}

bool connection_refuses(const redisReply *reply, const char *code)
{
    size_t length = strlen(code);
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, code, length) == 0 &&
           (reply->str[length] == ' ' || reply->str[length] == '\0');
}

const char *connection_advice(const char *refusal)
{
    static const struct {
        const char *says, *advice;
    } known[] = {
        {"MOVED ", "; a node of a Cluster: write store.server as an array of nodes"},
        {"READONLY ", "; a replica: name its master, or Sentinels in store.sentinels"},
        {"MASTERDOWN ", "; a replica whose master is away: name that master"},
        {"OOM ", "; Redis is full: raise its maxmemory"},
        {"MISCONF ", "; Redis can't write to its disk: see its log"},
        {"BUSY ", "; if that script does not end, SCRIPT KILL ends it"},
        {"LOADING ", "; Redis has just started, and answers once it has read its data"},
        {"NOREPLICAS ", "; see min-replicas-to-write, and the replicas"},
        {"NOPERM ", "; see store.username in mailbrake.conf(5)"},
        {"The user executing the script", "; see store.username in mailbrake.conf(5)"},
        {"ACL failure in script", "; see store.username in mailbrake.conf(5)"},
        {"Unknown Redis command", "; see store.username in mailbrake.conf(5)"},
        {"unknown command 'EVAL", "; a Sentinel belongs in store.sentinels"},
        {"unknown command `EVAL", "; a Sentinel belongs in store.sentinels"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(refusal, known[i].says) != NULL)
            return known[i].advice;
    return "";
}

/* Without " script: <SHA-1>, on @user_script:1.", which helps nobody, and the full stop.
 */
static size_t refusal_length(const char *refusal)
{
    size_t length = strlen(refusal);
    const char *on = strstr(refusal, ", on @user_script");
    for (const char *at = on; at != NULL && at > refusal; at--) {
        if (strncmp(at, " script: ", strlen(" script: ")) == 0) {
            length = (size_t)(at - refusal);
            break;
        }
    }
    return length > 0 && refusal[length - 1] == '.' ? length - 1 : length;
}

enum status connection_refusal(const redisReply *reply, struct error *error)
{
    /* The second is what a long command meets. */
    bool locked = connection_refuses(reply, "NOAUTH") ||
                  strstr(reply->str, "unauthenticated") != NULL;
    size_t length = refusal_length(reply->str);
    return error_set(error, STATUS_UNAVAILABLE, "%s%.*s%s",
                     locked ? "Redis requires a password, set store.password_file: " : "",
                     length < REFUSAL_MAX ? (int)length : REFUSAL_MAX, reply->str,
                     locked ? "" : connection_advice(reply->str));
}

bool connection_has_moved(const struct connection *connection)
{
    return connection->moved;
}

void connection_leave(struct connection *connection)
{
    connection->moved = true;
}

void connection_set_detour(struct connection *connection, struct detour *detour)
{
    connection->detour = detour;
}

struct detour *connection_detour(const struct connection *connection)
{
    return connection->detour;
}

bool connection_is_quiet(const struct connection *connection)
{
    char byte;
    if (connection->session != NULL)
        return tls_is_quiet(connection->session);
    ssize_t count = recv(connection->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

void connection_free(struct connection *connection)
{
    if (connection == NULL)
        return;
    if (connection->context != NULL)
        redisFree(connection->context);
    free(connection);
}
