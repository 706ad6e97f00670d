/* First whether the request may come at all (guard.c), then who asks, then what for. */
#include "console/page_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "console/answer.h"

enum {
    USER_MAX = 63,
    HOST_MAX = 255,
    COOKIE_SIZE = 400,
    SLOT_WAIT_S = 10,
    PURPOSE_MAX = 300
};

#define API "/api"
#define SESSION API "/session"
#define EVENTS API "/v1/events"

struct page_request *page_request_new(struct page_context *context, const char *target)
{
    struct page_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->context = context;
    request->target = strdup(target);
    if (request->target == NULL) {
        free(request);
        return NULL;
    }
    return request;
}

void page_request_free(struct page_request *request)
{
    if (request == NULL)
        return;
    text_clear(&request->body);
    free(request->target);
    free(request);
}

static const char *field(const struct page_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct field_search {
    const char *name, *value;
    int count;
};

static enum MHD_Result count_field(void *context, enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    struct field_search *search = context;
    (void)kind;
    if (strcasecmp(name, search->name) == 0) {
        search->value = value;
        search->count++;
    }
    return MHD_YES;
}

static struct field_search find_fields(const struct page_request *request,
                                       const char *name)
{
    struct field_search search = {.name = name};
    (void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_field,
                                    &search);
    return search;
}

static bool is_api(const struct page_request *request)
{
    return strncmp(request->target, API "/", sizeof API) == 0;
}

static bool is(const struct page_request *request, const char *path)
{
    size_t length = strcspn(request->target, "?");
    return strlen(path) == length && strncmp(request->target, path, length) == 0;
}

/* ---- who asks ---- */

/* Cookies don't know ports, and there may be a console on each: by the browser's port. */
static void name_cookie(const struct page_request *request, char out[HOST_MAX])
{
    const char *host = field(request, MHD_HTTP_HEADER_HOST);
    const char *port = host == NULL ? NULL : strrchr(host, ':');
    (void)snprintf(out, HOST_MAX, "mailbrake-%s", port == NULL ? "80" : port + 1);
}

/* Nobody asks for these by hand. */
static bool is_by_page(const struct page_request *request)
{
    return is(request, EVENTS) || field(request, "X-Refresh") != NULL;
}

/* A person is at the page. */
static void touch_session(const struct page_request *request)
{
    struct web_session *session = request->context->args.session;
    if (session != NULL && !is_by_page(request))
        web_session_touch(session, clock_monotonic_us());
}

static bool has_session(const struct page_request *request)
{
    char name[HOST_MAX];
    struct web_session *session = request->context->args.session;
    name_cookie(request, name);
    if (!web_session_has(session, MHD_lookup_connection_value(request->connection,
                                                              MHD_COOKIE_KIND, name)))
        return false;
    touch_session(request);
    return true;
}

/* Whom the proxy names, borrowed; NULL unless that is one name. */
static const char *find_user(const struct page_request *request)
{
    const struct field_search search =
        find_fields(request, request->context->args.user_header);
    if (search.count != 1 || search.value == NULL || search.value[0] == '\0' ||
        strlen(search.value) > USER_MAX)
        return NULL;
    for (const char *c = search.value; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == ',')
            return NULL;
    return search.value;
}

/* ---- the session ---- */

static enum MHD_Result exchange(struct page_request *request)
{
    char name[HOST_MAX];
    char value[WEB_SESSION_SECRET_SIZE];
    char cookie[COOKIE_SIZE];
    struct web_session *session = request->context->args.session;
    if (session == NULL)
        return answer_error(request->connection, MHD_HTTP_NOT_FOUND,
                            "the proxy says who asks");
    if (strcmp(request->method, MHD_HTTP_METHOD_POST) != 0)
        return answer_method(request->connection, "POST");
    if (!web_session_exchange(session, field(request, "X-Token"), value))
        return answer_error(request->connection, MHD_HTTP_UNAUTHORIZED,
                            "this address is not valid, or was used before: start "
                            "mailbrake console anew");
    touch_session(request);
    name_cookie(request, name);
    (void)snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict",
                   name, value);
    return answer_cookie(request->connection, cookie);
}

/* ---- mailbraked ---- */

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *place = c == '\0' ? NULL : strchr(digits, text_lower(c));
    return place == NULL ? -1 : (int)(place - digits);
}

/* A purpose comes percent-encoded, since a header field takes no other letters. */
static void decode(const char *in, char *out, size_t size)
{
    size_t length = 0;
    for (; *in != '\0' && length + 1 < size; in++) {
        int high = *in == '%' ? hex_value(in[1]) : -1;
        int low = high < 0 ? -1 : hex_value(in[2]);
        out[length++] = (char)(low < 0 ? *in : high << 4 | low);
        in += low < 0 ? 0 : 2;
    }
    out[length] = '\0';
}

static sem_t *find_slots(struct page_request *request)
{
    struct page_context *context = request->context;
    return strcmp(request->method, MHD_HTTP_METHOD_GET) == 0 ? &context->look_slots
                                                             : &context->change_slots;
}

/* True once one of few may ask; many would only wait there. */
static bool take_slot(sem_t *slots)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SLOT_WAIT_S;
    while (sem_clockwait(slots, CLOCK_MONOTONIC, &until) != 0) {
        if (errno != EINTR)
            return false;
    }
    return true;
}

static enum MHD_Result forward(struct page_request *request)
{
    char purpose[PURPOSE_MAX] = "";
    struct error error = {0};
    struct upstream_answer answer = {0};
    const struct server_args *args = &request->context->args;
    const char *said = field(request, "X-Purpose");
    if (said != NULL)
        decode(said, purpose, sizeof purpose);
    const struct upstream_call call = {
        .socket = args->socket,
        .method = request->method,
        .target = request->target + sizeof API - 1,
        .purpose = purpose,
        .progress = field(request, "X-Progress"),
        .refresh = field(request, "X-Refresh"),
        .on_behalf = args->session == NULL ? find_user(request) : NULL,
        .body = text_string(&request->body),
        .length = request->body.length,
    };
    sem_t *slots = find_slots(request);
    if (!take_slot(slots))
        return answer_error(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                            "too many requests wait for mailbraked");
    enum status status = upstream_ask(&call, &answer, &error);
    (void)sem_post(slots);
    touch_session(request); /* it may have taken long */
    enum MHD_Result result =
        status == STATUS_OK
            ? answer_upstream(request->connection, &answer)
            : answer_error(request->connection, MHD_HTTP_BAD_GATEWAY, "%s", error.text);
    upstream_answer_clear(&answer);
    return result;
}

/* ---- the request ---- */

static enum MHD_Result serve_file(struct page_request *request)
{
    char path[100];
    (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(request->target, "?"),
                   request->target);
    const struct app_file *file = app_files_find(request->context->args.files, path);
    if (file == NULL)
        return answer_error(request->connection, MHD_HTTP_NOT_FOUND,
                            "there is no such page");
    if (strcmp(request->method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(request->method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_method(request->connection, "GET, HEAD");
    return answer_file(request->connection, file);
}

static const char *refusal(const struct page_request *request)
{
    const struct guard_fields fields = {
        .method = request->method,
        .host = field(request, MHD_HTTP_HEADER_HOST),
        .origin = field(request, MHD_HTTP_HEADER_ORIGIN),
        .fetch_site = field(request, "Sec-Fetch-Site"),
        .mark = field(request, "X-Mailbrake"),
    };
    return guard_refusal(&request->context->args.guard, &fields, !is_api(request));
}

/* mailbraked has no HEAD. */
static bool is_method(const char *method, bool api)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
    if (!api && strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
        return true;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i], method) == 0)
            return true;
    }
    return false;
}

/* Only visible ASCII goes on to mailbraked. */
static bool is_forwarded(const char *target)
{
    if (text_after(target, API "/v1/") == NULL)
        return false;
    for (; *target != '\0'; target++)
        if (*target <= ' ' || *target > '~')
            return false;
    return true;
}

/* RFC 9112 3.2 and 6.3: what a proxy may read otherwise than we do. */
static bool is_ambiguous(const struct page_request *request)
{
    static const char *const single[] = {MHD_HTTP_HEADER_HOST, MHD_HTTP_HEADER_ORIGIN,
                                         MHD_HTTP_HEADER_CONTENT_LENGTH,
                                         MHD_HTTP_HEADER_TRANSFER_ENCODING};
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        if (find_fields(request, single[i]).count > 1)
            return true;
    }
    return field(request, MHD_HTTP_HEADER_CONTENT_LENGTH) != NULL &&
           field(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

static bool is_too_long(const struct page_request *request)
{
    const char *length = field(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length != NULL && strtoull(length, NULL, 10) > SERVER_BODY_MAX;
}

static bool is_known(const struct page_request *request)
{
    return request->context->args.session == NULL ? find_user(request) != NULL
                                                  : has_session(request);
}

bool page_request_begin(struct page_request *request, enum MHD_Result *out)
{
    struct MHD_Connection *connection = request->connection;
    bool owner = request->context->args.session != NULL;
    bool asks = is_api(request) && !is(request, SESSION); /* mailbraked */
    const char *why = refusal(request);
    if (is_ambiguous(request))
        *out = answer_error(connection, MHD_HTTP_BAD_REQUEST,
                            "Host, Origin or the length of the body is said twice");
    else if (!is_method(request->method, is_api(request)))
        *out = answer_method(connection,
                             is_api(request) ? "GET, POST, PUT, DELETE" : "GET, HEAD");
    else if (why != NULL)
        *out = answer_error(connection, MHD_HTTP_FORBIDDEN, "%s", why);
    else if (is_too_long(request))
        *out = answer_error(connection, MHD_HTTP_CONTENT_TOO_LARGE,
                            "the body is longer than %d bytes", SERVER_BODY_MAX);
    else if (asks && !is_known(request))
        *out = answer_error(connection, MHD_HTTP_UNAUTHORIZED,
                            owner ? "open the address that mailbrake console printed"
                                  : "the proxy did not say who asks");
    else if (asks && !is_forwarded(request->target))
        *out = answer_error(connection, MHD_HTTP_NOT_FOUND, "there is no such path");
    else
        return true;
    return false;
}

enum MHD_Result page_request_finish(struct page_request *request)
{
    if (!is_api(request))
        return serve_file(request);
    return is(request, SESSION) ? exchange(request) : forward(request);
}
