/* First whether the request may come at all (guard.c), then who asks, then what for. */
#include "console/visit.h"

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

struct visit *visit_new(struct visit_context *context, const char *target)
{
    struct visit *visit = calloc(1, sizeof *visit);
    if (visit == NULL)
        return NULL;
    visit->context = context;
    visit->target = strdup(target);
    if (visit->target == NULL) {
        free(visit);
        return NULL;
    }
    return visit;
}

void visit_free(struct visit *visit)
{
    if (visit == NULL)
        return;
    text_clear(&visit->body);
    free(visit->target);
    free(visit);
}

static const char *field(const struct visit *visit, const char *name)
{
    return MHD_lookup_connection_value(visit->connection, MHD_HEADER_KIND, name);
}

static bool is_api(const struct visit *visit)
{
    return strncmp(visit->target, API "/", sizeof API) == 0;
}

static bool is(const struct visit *visit, const char *path)
{
    size_t length = strcspn(visit->target, "?");
    return strlen(path) == length && strncmp(visit->target, path, length) == 0;
}

/* ---- who asks ---- */

/* Cookies don't know ports, and there may be a console on each: by the browser's port. */
static void name_cookie(const struct visit *visit, char out[HOST_MAX])
{
    const char *host = field(visit, MHD_HTTP_HEADER_HOST);
    const char *port = host == NULL ? NULL : strrchr(host, ':');
    (void)snprintf(out, HOST_MAX, "mailbrake-%s", port == NULL ? "80" : port + 1);
}

/* Nobody asks for these by hand. */
static bool is_by_page(const struct visit *visit)
{
    return is(visit, EVENTS) || field(visit, "X-Refresh") != NULL;
}

static bool has_session(const struct visit *visit)
{
    char name[HOST_MAX];
    struct session *session = visit->context->args.session;
    name_cookie(visit, name);
    if (!session_has(session, MHD_lookup_connection_value(visit->connection,
                                                          MHD_COOKIE_KIND, name)))
        return false;
    if (!is_by_page(visit))
        session_touch(session, clock_monotonic_us());
    return true;
}

struct user_search {
    const char *name, *value;
    int count;
};

static enum MHD_Result count_user(void *context, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    struct user_search *search = context;
    (void)kind;
    if (strcasecmp(name, search->name) == 0) {
        search->value = value;
        search->count++;
    }
    return MHD_YES;
}

/* Whom the proxy names, borrowed; NULL unless that is one name. */
static const char *find_user(const struct visit *visit)
{
    struct user_search search = {.name = visit->context->args.user_header};
    (void)MHD_get_connection_values(visit->connection, MHD_HEADER_KIND, count_user,
                                    &search);
    if (search.count != 1 || search.value == NULL || search.value[0] == '\0' ||
        strlen(search.value) > USER_MAX)
        return NULL;
    for (const char *c = search.value; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == ',')
            return NULL;
    return search.value;
}

/* ---- the session ---- */

static enum MHD_Result exchange(struct visit *visit)
{
    char name[HOST_MAX];
    char value[SESSION_SECRET_SIZE];
    char cookie[COOKIE_SIZE];
    struct session *session = visit->context->args.session;
    if (session == NULL)
        return answer_error(visit->connection, MHD_HTTP_NOT_FOUND,
                            "the proxy says who asks");
    if (strcmp(visit->method, MHD_HTTP_METHOD_POST) != 0)
        return answer_error(visit->connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                            "only POST is allowed for this path");
    if (!session_exchange(session, field(visit, "X-Token"), value))
        return answer_error(visit->connection, MHD_HTTP_UNAUTHORIZED,
                            "this address is not valid, or was used before: start "
                            "mailbrake console anew");
    session_touch(session, clock_monotonic_us());
    name_cookie(visit, name);
    (void)snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict",
                   name, value);
    return answer_cookie(visit->connection, cookie);
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

/* True once one of few may ask; many would only wait there. */
static bool take_slot(struct visit *visit)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SLOT_WAIT_S;
    while (sem_timedwait(&visit->context->work_slots, &until) != 0) {
        if (errno != EINTR)
            return false;
    }
    return true;
}

static enum MHD_Result forward(struct visit *visit)
{
    char purpose[PURPOSE_MAX] = "";
    struct error error = {0};
    struct upstream_answer answer = {0};
    const struct server_args *args = &visit->context->args;
    const char *said = field(visit, "X-Purpose");
    if (said != NULL)
        decode(said, purpose, sizeof purpose);
    const struct upstream_call call = {
        .socket = args->socket,
        .method = visit->method,
        .target = visit->target + sizeof API - 1,
        .purpose = purpose,
        .progress = field(visit, "X-Progress"),
        .refresh = field(visit, "X-Refresh"),
        .on_behalf = args->session == NULL ? find_user(visit) : NULL,
        .body = text_string(&visit->body),
        .length = visit->body.length,
    };
    if (!take_slot(visit))
        return answer_error(visit->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                            "too many requests wait for mailbraked");
    enum status status = upstream_ask(&call, &answer, &error);
    (void)sem_post(&visit->context->work_slots);
    enum MHD_Result result =
        status == STATUS_OK
            ? answer_upstream(visit->connection, &answer)
            : answer_error(visit->connection, MHD_HTTP_BAD_GATEWAY, "%s", error.text);
    upstream_answer_clear(&answer);
    return result;
}

/* ---- the request ---- */

static enum MHD_Result serve_file(struct visit *visit)
{
    char path[100];
    (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(visit->target, "?"),
                   visit->target);
    const struct app_file *file = app_files_find(visit->context->args.files, path);
    if (file == NULL)
        return answer_error(visit->connection, MHD_HTTP_NOT_FOUND,
                            "there is no such page");
    if (strcmp(visit->method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(visit->method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_error(visit->connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                            "only GET is allowed for this path");
    return answer_file(visit->connection, file);
}

static const char *refusal(const struct visit *visit)
{
    const struct guard_fields fields = {
        .method = visit->method,
        .host = field(visit, MHD_HTTP_HEADER_HOST),
        .origin = field(visit, MHD_HTTP_HEADER_ORIGIN),
        .fetch_site = field(visit, "Sec-Fetch-Site"),
        .mark = field(visit, "X-Mailbrake"),
    };
    return guard_refusal(&visit->context->args.guard, &fields, !is_api(visit));
}

static bool is_method(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i], method) == 0)
            return true;
    }
    return false;
}

/* Only visible ASCII goes on to mailbraked. */
static bool is_clean(const char *target)
{
    for (; *target != '\0'; target++)
        if (*target <= ' ' || *target > '~')
            return false;
    return true;
}

static bool is_too_long(const struct visit *visit)
{
    const char *length = field(visit, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length != NULL && strtoull(length, NULL, 10) > SERVER_BODY_MAX;
}

static bool is_known(const struct visit *visit)
{
    return visit->context->args.session == NULL ? find_user(visit) != NULL
                                                : has_session(visit);
}

bool visit_begin(struct visit *visit, enum MHD_Result *out)
{
    struct MHD_Connection *connection = visit->connection;
    bool owner = visit->context->args.session != NULL;
    const char *why = refusal(visit);
    if (!is_method(visit->method))
        *out = answer_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "no such method");
    else if (why != NULL)
        *out = answer_error(connection, MHD_HTTP_FORBIDDEN, "%s", why);
    else if (is_too_long(visit))
        *out = answer_error(connection, MHD_HTTP_CONTENT_TOO_LARGE,
                            "the body is longer than %d bytes", SERVER_BODY_MAX);
    else if (!is_api(visit) || is(visit, SESSION))
        return true;
    else if (!is_known(visit))
        *out = answer_error(connection, MHD_HTTP_UNAUTHORIZED,
                            owner ? "open the address that mailbrake console printed"
                                  : "the proxy did not say who asks");
    else if (strncmp(visit->target, API "/v1/", sizeof API "/v1/" - 1) != 0 ||
             !is_clean(visit->target))
        *out = answer_error(connection, MHD_HTTP_NOT_FOUND, "there is no such path");
    else
        return true;
    return false;
}

enum MHD_Result visit_finish(struct visit *visit)
{
    if (!is_api(visit))
        return serve_file(visit);
    return is(visit, SESSION) ? exchange(visit) : forward(visit);
}
