/* The policy is for the page as it is: modules and a style sheet of its own, no inline
 * code, no text that becomes markup (Trusted Types), nobody who frames it. */
#include "console/answer.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/gzip.h"

enum { ERROR_SIZE = 400 };

static const char json_type[] = "application/json";

static const char *const everywhere[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
     "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
     "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
};

/* Takes the response over; NULL is MHD_NO. */
static enum MHD_Result queue(struct MHD_Connection *connection, unsigned code,
                             const char *type, const char *caching,
                             struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++)
        (void)MHD_add_response_header(response, everywhere[i][0], everywhere[i][1]);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, caching);
    if (type != NULL)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static bool takes_gzip(struct MHD_Connection *connection)
{
    return gzip_is_accepted(MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                        MHD_HTTP_HEADER_ACCEPT_ENCODING));
}

static void say_gzip(struct MHD_Response *response, bool packed)
{
    if (response == NULL)
        return;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
    if (packed)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
}

/* Takes text, of malloc(3), over. */
static enum MHD_Result queue_json(struct MHD_Connection *connection, unsigned code,
                                  char *text, size_t length, bool packed)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(text);
    say_gzip(response, packed);
    return queue(connection, code, json_type, "no-store", response);
}

/* Kept by the browser, but asked for each time: an upgrade is seen at once. */
enum MHD_Result answer_file(struct MHD_Connection *connection,
                            const struct app_file *file)
{
    const char *has = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                  MHD_HTTP_HEADER_IF_NONE_MATCH);
    bool same = has != NULL && strcmp(has, file->etag) == 0;
    bool packed = !same && file->length >= GZIP_LEAST && takes_gzip(connection);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        same     ? 0
        : packed ? file->packed_length
                 : file->length,
        packed ? file->packed : file->data, MHD_RESPMEM_PERSISTENT);
    say_gzip(response, packed);
    if (response != NULL)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, file->etag);
    return queue(connection, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, file->type,
                 "no-cache", response);
}

enum MHD_Result answer_upstream(struct MHD_Connection *connection,
                                struct upstream_answer *answer)
{
    struct text text = answer->text;
    char *packed = NULL;
    size_t length = 0;
    if (text.length < GZIP_LEAST || !takes_gzip(connection) ||
        gzip_pack(text.data, text.length, &packed, &length) != STATUS_OK) {
        answer->text = (struct text){0}; /* the response owns it */
        return queue_json(connection, answer->code, text.data, text.length, false);
    }
    return queue_json(connection, answer->code, packed, length, true);
}

/* {"error": text}: ASCII without quotes and backslashes. NULL without memory. */
static struct MHD_Response *make_error(char *text)
{
    struct text json = {0};
    for (char *c = text; *c != '\0'; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = '?';
    text_printf(&json, "{\"error\":\"%s\"}\n", text);
    struct MHD_Response *response =
        json.failed ? NULL
                    : MHD_create_response_from_buffer(json.length, json.data,
                                                      MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        text_clear(&json);
    return response;
}

enum MHD_Result answer_error(struct MHD_Connection *connection, unsigned code,
                             const char *format, ...)
{
    char text[ERROR_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return queue(connection, code, json_type, "no-store", make_error(text));
}

enum MHD_Result answer_method(struct MHD_Connection *connection, const char *allowed)
{
    char text[ERROR_SIZE];
    (void)snprintf(text, sizeof text, "only %s is allowed for this path", allowed);
    struct MHD_Response *response = make_error(text);
    if (response != NULL)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allowed);
    return queue(connection, MHD_HTTP_METHOD_NOT_ALLOWED, json_type, "no-store",
                 response);
}

enum MHD_Result answer_cookie(struct MHD_Connection *connection, const char *cookie)
{
    static char nothing[1];
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
    if (response != NULL && MHD_add_response_header(response, MHD_HTTP_HEADER_SET_COOKIE,
                                                    cookie) != MHD_YES) {
        MHD_destroy_response(response);
        response = NULL;
    }
    return queue(connection, MHD_HTTP_NO_CONTENT, NULL, "no-store", response);
}
