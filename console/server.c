/* A thread for each connection, since each request waits for mailbraked: connections.c
 * bounds how many there are. */
#include "console/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "console/connections.h"
#include "console/page_request.h"
#include "console/upstream.h"

enum { STACK_BYTES = 512 * 1024 };

struct server {
    struct page_context context;
    struct connections *connections;
    struct MHD_Daemon *daemon;
};

static int connection_fd(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

static void set_state(struct server *server, struct MHD_Connection *connection,
                      enum connection_state state)
{
    connections_set(server->connections, connection_fd(connection), state,
                    clock_monotonic_us());
}

/* Only the proxy's user may speak for others. */
static bool is_admitted(const struct server *server, int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (server->context.args.session != NULL)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return false;
    if (peer.uid == server->context.args.proxy)
        return true;
    log_throttled(SEVERITY_WARNING,
                  "uid %u connected, who is not console.proxy_user: refused", peer.uid);
    return false;
}

/* A connection that is admitted has a state. */
static void on_connection(void *context, struct MHD_Connection *connection,
                          void **connection_state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *server = context;
    int fd = connection_fd(connection);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        set_state(server, connection, CONNECTION_FREE);
        return;
    }
    connections_open(server->connections, fd, clock_monotonic_us());
    if (is_admitted(server, fd))
        *connection_state = server;
    else
        (void)shutdown(fd, SHUT_RDWR);
}

/* What was sent before the shutdown may still be read. */
static bool has_state(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL && info->socket_context != NULL;
}

/* Called first of all, with the target as it came: on_access gets it decoded. */
static void *on_target(void *context, const char *target,
                       struct MHD_Connection *connection)
{
    struct server *server = context;
    (void)connection;
    return page_request_new(&server->context, target);
}

static bool collect(struct page_request *request, const char *data, size_t length)
{
    if (length > SERVER_BODY_MAX - request->body.length)
        return false;
    text_add(&request->body, data, length);
    return !request->body.failed;
}

static enum MHD_Result finish(struct server *server, struct page_request *request)
{
    struct MHD_Connection *connection = request->connection;
    set_state(server, connection, CONNECTION_WORKS);
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
    enum MHD_Result result = page_request_finish(request);
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    (unsigned)CONNECTIONS_RECEIVE_S);
    set_state(server, connection, CONNECTION_SENDS);
    return result;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection,
                                 const char *path, const char *method,
                                 const char *version, const char *data,
                                 size_t *data_length, void **request_state)
{
    struct page_request *request = *request_state;
    enum MHD_Result result;
    (void)path;
    (void)version;
    if (request == NULL || !has_state(connection))
        return MHD_NO;
    if (request->connection == NULL) {
        request->connection = connection;
        request->method = method;
        return page_request_begin(request, &result) ? MHD_YES : result;
    }
    if (*data_length > 0) {
        if (!collect(request, data, *data_length))
            return MHD_NO;
        *data_length = 0;
        return MHD_YES;
    }
    return finish(context, request);
}

static void on_completed(void *context, struct MHD_Connection *connection,
                         void **request_state, enum MHD_RequestTerminationCode how)
{
    (void)how;
    page_request_free(*request_state);
    *request_state = NULL;
    set_state(context, connection, CONNECTION_RECEIVES);
}

/* The target stays as it came: an encoded "/" is none. */
static size_t keep_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static struct MHD_Daemon *start(struct server *server, int fd)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL,
        on_access, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_ROOM, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONNECTIONS_RECEIVE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)SERVER_HEADER_MAX, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_URI_LOG_CALLBACK,
        on_target, server, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

static void destroy(struct server *server)
{
    (void)sem_destroy(&server->context.look_slots);
    (void)sem_destroy(&server->context.change_slots);
    connections_free(server->connections);
    free(server);
}

enum status server_start(const struct server_args *args, int fd, struct server **out,
                         struct error *error)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    server->context.args = *args;
    (void)sem_init(&server->context.look_slots, 0, SERVER_LOOKS_MAX);
    (void)sem_init(&server->context.change_slots, 0, SERVER_CHANGES_MAX);
    server->connections = connections_new();
    if (server->connections == NULL) {
        destroy(server);
        return error_set(error, STATUS_NOMEM, "out of memory");
    }
    server->daemon = start(server, fd);
    if (server->daemon == NULL) {
        destroy(server);
        return error_set(error, STATUS_IO, "can't serve: %s", strerror(errno));
    }
    *out = server;
    return STATUS_OK;
}

void server_sweep(struct server *server)
{
    connections_sweep(server->connections, clock_monotonic_us());
}

void server_stop(struct server *server)
{
    if (server == NULL)
        return;
    upstream_stop();
    MHD_stop_daemon(server->daemon); /* waits for all requests */
    destroy(server);
}
