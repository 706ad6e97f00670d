/* One connection a request, so that each has its own in mailbraked. No header field of
 * the browser's goes on by itself: each is named here. */
#include "console/upstream.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum { CONNECT_S = 5 };

static atomic_bool stopping;

enum status upstream_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? STATUS_OK
                                                             : STATUS_UNAVAILABLE;
}

void upstream_stop(void)
{
    atomic_store(&stopping, true);
}

/* libcurl asks about once a second, however silent mailbraked is. */
static int is_stopped(void *context, curl_off_t all_in, curl_off_t in, curl_off_t all_out,
                      curl_off_t out)
{
    (void)context, (void)all_in, (void)in, (void)all_out, (void)out;
    return atomic_load(&stopping);
}

void upstream_answer_clear(struct upstream_answer *answer)
{
    text_clear(&answer->text);
}

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct text *text = context;
    size_t length = size * count;
    if (length > UPSTREAM_ANSWER_MAX - text->length)
        return 0;
    text_add(text, data, length);
    return text->failed ? 0 : length;
}

/* Adds "NAME: value" in one line, whatever is in value. False without memory. */
static bool add_header(struct curl_slist **headers, const char *name, const char *value)
{
    struct text line = {0};
    if (value == NULL || value[0] == '\0')
        return true;
    text_printf(&line, "%s: %s", name, value);
    for (size_t i = 0; i < line.length; i++)
        if ((unsigned char)line.data[i] < ' ' || line.data[i] == 0x7f)
            line.data[i] = ' ';
    struct curl_slist *longer =
        line.failed ? NULL : curl_slist_append(*headers, text_string(&line));
    text_clear(&line);
    *headers = longer == NULL ? *headers : longer;
    return longer != NULL;
}

static bool make_headers(const struct upstream_call *call, struct curl_slist **out)
{
    return add_header(out, "Content-Type", "application/json") &&
           add_header(out, "X-Purpose", call->purpose) &&
           add_header(out, "X-Progress", call->progress) &&
           add_header(out, "X-Refresh", call->refresh) &&
           add_header(out, "X-On-Behalf-Of", call->on_behalf);
}

static void set_options(CURL *curl, const struct upstream_call *call, const char *url,
                        struct upstream_answer *out)
{
    (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, call->socket);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    (void)curl_easy_setopt(
        curl, CURLOPT_TIMEOUT,
        (long)(strcmp(call->method, "GET") == 0 ? UPSTREAM_LOOK_S : UPSTREAM_CHANGE_S));
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_stopped);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &out->text);
    if (call->length > 0) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)call->length);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
    }
}

static enum status explain(CURL *curl, CURLcode result, const char *socket,
                           struct error *error)
{
    long failure = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &failure);
    if (result == CURLE_WRITE_ERROR)
        return error_set(error, STATUS_LIMIT, "the answer is too large");
    return error_set(
        error, STATUS_UNAVAILABLE, "can't reach mailbraked at %s: %s", socket,
        result == CURLE_COULDNT_CONNECT && failure != 0 ? strerror((int)failure)
                                                        : curl_easy_strerror(result));
}

enum status upstream_ask(const struct upstream_call *call, struct upstream_answer *out,
                         struct error *error)
{
    struct text url = {0};
    struct curl_slist *headers = NULL;
    long code = 0;
    enum status status = error_set(error, STATUS_NOMEM, "out of memory");
    CURL *curl = curl_easy_init();
    text_printf(&url, "http://mailbraked%s", call->target);
    if (curl != NULL && !url.failed && make_headers(call, &headers)) {
        set_options(curl, call, text_string(&url), out);
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        CURLcode result = curl_easy_perform(curl);
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
        out->code = (unsigned)code;
        status =
            result == CURLE_OK ? STATUS_OK : explain(curl, result, call->socket, error);
    }
    curl_slist_free_all(headers);
    text_clear(&url);
    curl_easy_cleanup(curl);
    return status;
}
