/* The server: connections, peers, bodies, answers. A handler runs on its connection's
 * thread once the request is complete. Only the modules in the context are shared with
 * mail, and those are thread-safe. */
#include "control/control.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/listener.h"
#include "base/log.h"
#include "control/access.h"
#include "control/routes.h"
#include "control/stream.h"

enum {
    REFUSALS_PER_MINUTE = 10,
    SOCKET_MODE = 0666,
    STREAM_BYTES = 64 * 1024,
    LOOK_AGAIN_MS = 10 * 60 * 1000
};

struct control {
    struct control_context context;
    struct MHD_Daemon *daemon;
    char *path;
    pthread_mutex_t reloading;
    struct progress progress;
    struct recent looks;
    struct MHD_Daemon *tcp; /* of control.metrics; NULL: none */
    sem_t look_slots;       /* how many more requests may run that change nothing, */
    sem_t change_slots;     /* that do, */
    sem_t stranger_slots;   /* and of peers without rights */
    pthread_mutex_t mutex;  /* guards the three below */
    int64_t refusal_minute;
    int refusals;
    int strangers; /* connections of peers without a role */
};

/* A request that is being received. */
struct incoming_request {
    struct request request;
    const struct route *route; /* NULL: the answer is made already */
    struct text body;
};

/* ---- peers and routes ---- */

/* Refused peers are audited, at a rate that can't fill the disk. */
static bool refusal_is_audited(struct control *control)
{
    int64_t minute = clock_monotonic_us() / 60000000;
    (void)pthread_mutex_lock(&control->mutex);
    if (control->refusal_minute != minute)
        control->refusals = 0;
    control->refusal_minute = minute;
    bool audited = control->refusals < REFUSALS_PER_MINUTE;
    control->refusals += audited;
    (void)pthread_mutex_unlock(&control->mutex);
    return audited;
}

/* -1 when there is none. */
static int connection_fd(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

/* The page's service asks for the person whom its proxy names. */
static void stand_for(struct request *request)
{
    request->via = "console";
    (void)peer_stand_for(&request->peer,
                         MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                     "X-On-Behalf-Of"));
}

/* Who asks, and whether that is allowed; the answer is made if it isn't. */
static bool check_peer(struct control *control, struct request *request,
                       const struct route *route)
{
    char target[AUDIT_TEXT_MAX] = "";
    char result[AUDIT_TEXT_MAX] = "refused: no rights";
    enum role role = route == NULL ? ROLE_LOOK : route->role;
    if (!peer_get(connection_fd(request->connection), &request->peer))
        request->peer.uid = PEER_NOBODY;
    if (peer_is_console(&request->peer, request->settings))
        stand_for(request);
    request->roles = peer_roles(&request->peer, request->settings);
    if (access_check(request, role))
        return true;
    if (route != NULL)
        (void)snprintf(target, sizeof target, "%s %s", route->method, route->pattern);
    if (request->roles != 0)
        (void)snprintf(result, sizeof result, "refused: the role %s is missing",
                       access_role_name(role));
    if (refusal_is_audited(control))
        request_audit(request, "connect", target, result);
    return false;
}

static bool is_stranger(struct control *control, int fd)
{
    struct peer peer;
    struct snapshot *snapshot = current_snapshot_get(control->context.snapshots);
    bool may = peer_get(fd, &peer) && (peer_is_console(&peer, snapshot->settings) ||
                                       peer_roles(&peer, snapshot->settings) != 0);
    snapshot_unref(snapshot);
    return !may;
}

/* Counts one more stranger's connection; false when there are too many. */
static bool admit_stranger(struct control *control)
{
    (void)pthread_mutex_lock(&control->mutex);
    bool admitted = control->strangers < CONTROL_STRANGERS_MAX;
    control->strangers += admitted;
    (void)pthread_mutex_unlock(&control->mutex);
    return admitted;
}

static void release_stranger(struct control *control)
{
    (void)pthread_mutex_lock(&control->mutex);
    control->strangers--;
    (void)pthread_mutex_unlock(&control->mutex);
}

/* Strangers may connect, to be told that they have no rights, but can't take all
 * connections from administrators. A connection that counts as a stranger's has a state.
 */
static void on_connection(void *context, struct MHD_Connection *connection,
                          void **connection_state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct control *control = context;
    int fd = connection_fd(connection);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*connection_state != NULL)
            release_stranger(control);
        *connection_state = NULL;
    } else if (is_stranger(control, fd)) {
        if (admit_stranger(control))
            *connection_state = control;
        else /* libmicrohttpd closes it when it sees the end */
            (void)shutdown(fd, SHUT_RDWR);
    }
}

/* Answers a request without a route. known: another method has one. */
static void refuse_route(struct request *request, const char *method, const char *path,
                         bool known)
{
    if (known)
        request_fail(request, MHD_HTTP_METHOD_NOT_ALLOWED,
                     "%.20s is not allowed for this path", method);
    else
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no %.200s", path);
}

static void take_token(struct request *request, const char *token)
{
    if (token != NULL && progress_is_token(token))
        (void)snprintf(request->token, sizeof request->token, "%s", token);
}

static bool is_too_long(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                     MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length != NULL && strtoull(length, NULL, 10) > CONTROL_BODY_MAX;
}

static bool is_tcp(int fd)
{
    int family = AF_UNIX;
    socklen_t length = sizeof family;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0 ||
           family != AF_UNIX;
}

/* Over TCP nobody knows who asks. */
static const struct route *find_tcp_route(struct request *request, const char *method,
                                          const char *path)
{
    bool known = strcmp(path, "/metrics") == 0 || strcmp(path, "/healthz") == 0;
    const struct route *route =
        known ? routes_find(method, path, request->id, &known) : NULL;
    if (route == NULL)
        refuse_route(request, method, path, known);
    return route;
}

/* NULL after making the answer. */
static const struct route *find_route(struct control *control, struct request *request,
                                      const char *method, const char *path)
{
    bool known;
    const struct route *route = routes_find(method, path, request->id, &known);
    if (!check_peer(control, request, route))
        return NULL;
    if (route == NULL)
        refuse_route(request, method, path, known);
    return route;
}

/* NULL without memory. */
static struct incoming_request *begin(struct control *control,
                                      struct MHD_Connection *connection,
                                      const char *method, const char *path)
{
    struct incoming_request *incoming = calloc(1, sizeof *incoming);
    if (incoming == NULL)
        return NULL;
    struct request *request = &incoming->request;
    request->context = &control->context;
    request->reloading = &control->reloading;
    request->progress = &control->progress;
    request->looks = &control->looks;
    request->repeats =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Refresh") != NULL;
    request->connection = connection;
    request->snapshot = current_snapshot_get(control->context.snapshots);
    request->settings = request->snapshot->settings;
    incoming->route = is_tcp(connection_fd(connection))
                          ? find_tcp_route(request, method, path)
                          : find_route(control, request, method, path);
    if (incoming->route == NULL)
        return incoming;
    request->verb = incoming->route->verb;
    request_take_purpose(
        request, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Purpose"));
    take_token(request,
               MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Progress"));
    if (is_too_long(connection)) {
        incoming->route = NULL;
        request_fail(request, MHD_HTTP_CONTENT_TOO_LARGE,
                     "the body is longer than %d bytes", CONTROL_BODY_MAX);
    }
    return incoming;
}

static void incoming_free(struct incoming_request *incoming)
{
    if (incoming == NULL)
        return;
    json_decref(incoming->request.json);
    stream_free(incoming->request.stream);
    json_decref(incoming->request.body);
    free(incoming->request.act.target);
    text_clear(&incoming->request.text);
    snapshot_unref(incoming->request.snapshot);
    text_clear(&incoming->body);
    free(incoming);
}

/* ---- bodies ---- */

/* False past the limit (of a body without Content-Length), or without memory. */
static bool collect(struct incoming_request *incoming, const char *data, size_t length)
{
    if (length > CONTROL_BODY_MAX - incoming->body.length)
        return false;
    text_add(&incoming->body, data, length);
    return !incoming->body.failed;
}

static bool parse_body(struct incoming_request *incoming)
{
    struct request *request = &incoming->request;
    json_error_t error;
    if (incoming->body.length == 0) {
        request->body = json_object();
        return request->body != NULL;
    }
    request->body = json_loadb(incoming->body.data, incoming->body.length,
                               JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(request->body)) {
        request_fail(request, MHD_HTTP_BAD_REQUEST, "the body is not a JSON object%s%s",
                     request->body == NULL ? ": " : "",
                     request->body == NULL ? error.text : "");
        return false;
    }
    request_take_purpose(request, request_string(request, "purpose"));
    return true;
}

/* ---- answers ---- */

/* The answer's text, for free(3), and its type. NULL without memory. */
static char *write_answer(const struct request *request, const char **out_type)
{
    char *line = NULL;
    if (request->json == NULL && request->text.length > 0 && !request->text.failed) {
        *out_type = "text/plain; version=0.0.4; charset=utf-8";
        return strdup(text_string(&request->text));
    }
    *out_type = "application/json";
    if (request->json == NULL)
        return NULL;
    /* ASCII: the reader may be a terminal. */
    char *bare = json_dumps(request->json, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (bare != NULL && asprintf(&line, "%s\n", bare) < 0)
        line = NULL;
    free(bare);
    return line;
}

static ssize_t read_stream(void *context, uint64_t position, char *out, size_t max)
{
    (void)position;
    ssize_t length = stream_read(context, out, max);
    if (length < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return length == 0 ? MHD_CONTENT_READER_END_OF_STREAM : length;
}

static void free_stream(void *context)
{
    stream_free(context);
}

/* Takes the response over. */
static enum MHD_Result queue(struct request *request, unsigned code, const char *type,
                             struct MHD_Response *response)
{
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(request->connection, code, response);
    MHD_destroy_response(response);
    return result;
}

/* A short answer gets a Content-Length, for simple clients. */
static enum MHD_Result reply_with_stream(struct request *request)
{
    size_t length = 0;
    struct MHD_Response *response;
    char *whole = stream_whole(request->stream, STREAM_BYTES, &length);
    if (whole != NULL)
        response = MHD_create_response_from_buffer(length, whole, MHD_RESPMEM_MUST_FREE);
    else
        response = MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, STREAM_BYTES, read_stream, request->stream, free_stream);
    if (response == NULL) {
        free(whole);
        return MHD_NO;
    }
    if (whole == NULL)
        request->stream = NULL; /* the response owns it */
    return queue(request, MHD_HTTP_OK, "application/json", response);
}

static enum MHD_Result reply(struct incoming_request *incoming)
{
    const char *type;
    struct request *request = &incoming->request;
    if (request->stream != NULL)
        return reply_with_stream(request);
    unsigned code = request->code == 0 ? MHD_HTTP_OK : request->code;
    char *answer = write_answer(request, &type);
    if (answer == NULL) {
        code = MHD_HTTP_INTERNAL_SERVER_ERROR;
        answer = strdup("{\"error\":\"out of memory\"}\n");
    }
    if (answer == NULL)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(answer), answer, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(answer);
        return MHD_NO;
    }
    return queue(request, code, type, response);
}

/* Releases may take an hour; whoever looks doesn't wait for them. */
static sem_t *find_slots(struct control *control, const struct incoming_request *incoming)
{
    const struct route *route = incoming->route;
    if (incoming->request.roles == 0)
        return &control->stranger_slots;
    return strcmp(route->method, "GET") == 0 || route->role == ROLE_LOOK
               ? &control->look_slots
               : &control->change_slots;
}

/* Running and waiting for a slot may both take longer than CONTROL_TIMEOUT_S. */
static void run(struct control *control, struct incoming_request *incoming)
{
    struct MHD_Connection *connection = incoming->request.connection;
    sem_t *slots = find_slots(control, incoming);
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
    while (sem_wait(slots) != 0) /* EINTR */
        ;
    if (parse_body(incoming))
        incoming->route->run(&incoming->request);
    (void)sem_post(slots);
    progress_end(incoming->request.progress, incoming->request.token);
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    (unsigned)CONTROL_TIMEOUT_S);
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection,
                                 const char *path, const char *method,
                                 const char *version, const char *data,
                                 size_t *data_length, void **request_state)
{
    struct incoming_request *incoming = *request_state;
    (void)version;
    if (incoming == NULL) {
        incoming = begin(context, connection, method, path);
        *request_state = incoming;
        if (incoming == NULL)
            return MHD_NO;
        return incoming->route == NULL ? reply(incoming) : MHD_YES;
    }
    if (*data_length > 0) {
        if (!collect(incoming, data, *data_length))
            return MHD_NO;
        *data_length = 0;
        return MHD_YES;
    }
    run(context, incoming);
    return reply(incoming);
}

static void on_completed(void *context, struct MHD_Connection *connection,
                         void **request_state, enum MHD_RequestTerminationCode how)
{
    (void)context;
    (void)connection;
    (void)how;
    incoming_free(*request_state);
    *request_state = NULL;
}

/* ---- starting and stopping ---- */

/* A thread for each connection, and poll(2): in a pool, connections that share a thread
 * with a long request wait for it, and then time out. All signals are blocked: other
 * threads wait for them. */
static struct MHD_Daemon *start_daemon(struct control *control, int fd,
                                       MHD_NotifyConnectionCallback notify,
                                       unsigned connections)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL,
        on_access, control, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONTROL_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONTROL_HEADER_MAX,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, control, MHD_OPTION_NOTIFY_CONNECTION,
        notify, control, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

static void destroy(struct control *control)
{
    (void)pthread_mutex_destroy(&control->reloading);
    progress_destroy(&control->progress);
    recent_destroy(&control->looks);
    (void)sem_destroy(&control->look_slots);
    (void)sem_destroy(&control->change_slots);
    (void)sem_destroy(&control->stranger_slots);
    (void)pthread_mutex_destroy(&control->mutex);
    free(control->path);
    free(control);
}

enum status control_start(const struct control_context *context,
                          struct control **out_control, struct error *error)
{
    int fd = -1;
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    control->context = *context;
    (void)pthread_mutex_init(&control->reloading, NULL);
    progress_init(&control->progress);
    recent_init(&control->looks, LOOK_AGAIN_MS);
    (void)sem_init(&control->look_slots, 0, CONTROL_LOOKS_MAX);
    (void)sem_init(&control->change_slots, 0, CONTROL_CHANGES_MAX);
    (void)sem_init(&control->stranger_slots, 0, CONTROL_STRANGERS_WORK_MAX);
    (void)pthread_mutex_init(&control->mutex, NULL);
    struct snapshot *snapshot = current_snapshot_get(context->snapshots);
    control->path = strdup(snapshot->settings->control.socket);
    enum status status = control->path == NULL
                             ? error_set(error, STATUS_NOMEM, "out of memory")
                             : listener_open(control->path, SOCKET_MODE, &fd, error);
    snapshot_unref(snapshot);
    if (status == STATUS_OK) {
        control->daemon =
            start_daemon(control, fd, on_connection, CONTROL_CONNECTIONS_MAX);
        if (control->daemon == NULL) {
            status = error_set_at(error, STATUS_IO, control->path, 0,
                                  "can't serve there: %s", strerror(errno));
            (void)unlink(control->path);
            (void)close(fd);
        }
    }
    if (status != STATUS_OK) {
        destroy(control);
        return status;
    }
    *out_control = control;
    return STATUS_OK;
}

void control_stop(struct control *control)
{
    if (control == NULL)
        return;
    (void)unlink(control->path);
    MHD_stop_daemon(control->daemon);
    if (control->tcp != NULL)
        MHD_stop_daemon(control->tcp);
    destroy(control);
}

enum status control_serve_metrics(struct control *control, const char *place,
                                  struct error *error)
{
    struct tcp_address address;
    int fd;
    if (!tcp_address_parse(place, &address))
        return error_set(error, STATUS_INVALID, "not an address and port");
    enum status status = listener_open_tcp(&address, &fd, error);
    if (status != STATUS_OK)
        return status;
    control->tcp = start_daemon(control, fd, NULL, CONTROL_STRANGERS_MAX);
    if (control->tcp != NULL)
        return STATUS_OK;
    status = error_set(error, STATUS_IO, "%s", strerror(errno));
    (void)close(fd);
    return status;
}
