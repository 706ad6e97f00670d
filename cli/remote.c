/* One connection for all calls of a verb, by libcurl over a unix socket. */
#include "cli/remote.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/output.h"
#include "conf/settings.h"

enum {
    ANSWER_MAX = 256 * 1024 * 1024,
    CONNECT_S = 5,
    ANSWER_S = 3600, /* a queue of thousands, released one by one */
    SHOWN_S = 45,    /* what is only shown; mailbrake-mta and other relays have less */
    PURPOSE_MAX = 250,
    ATTEMPTS = 30,
    PAUSE_MS = 100,
    LOOK_MS = 200,   /* between two progress requests */
    LOOK_TIME_S = 2, /* for one of them */
};

/* The daemon may well run while its configuration is being edited. */
#define USUAL_SOCKET "/run/mailbrake/control.sock"

struct remote {
    CURL *curl;
    char *socket;
    struct text answer;
};

char *remote_socket(const struct arguments *arguments, struct problems *problems)
{
    struct settings settings;
    if (arguments->socket != NULL)
        return strdup(arguments->socket);
    if (settings_load(arguments->config, &settings, problems) == STATUS_OK) {
        char *socket = strdup(settings.control.socket);
        settings_clear(&settings);
        return socket;
    }
    char *socket = settings_find_control(arguments->config);
    if (socket == NULL && strcmp(arguments->config, ARGUMENTS_CONFIG) == 0)
        socket = strdup(USUAL_SOCKET);
    return socket;
}

struct remote *remote_new(const char *socket)
{
    struct remote *remote = calloc(1, sizeof *remote);
    if (remote == NULL)
        return NULL;
    remote->socket = strdup(socket);
    if (remote->socket != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        remote->curl = curl_easy_init();
    if (remote->curl == NULL) {
        remote_free(remote);
        return NULL;
    }
    return remote;
}

void remote_free(struct remote *remote)
{
    if (remote == NULL)
        return;
    if (remote->curl != NULL) {
        curl_easy_cleanup(remote->curl);
        curl_global_cleanup();
    }
    text_clear(&remote->answer);
    free(remote->socket);
    free(remote);
}

void remote_add_escaped(struct text *path, const char *part)
{
    text_add_percent(path, part, "-_~@:"); /* "." and ".." would be taken out */
}

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct text *answer = context;
    size_t length = size * count;
    if (length > ANSWER_MAX - answer->length)
        return 0;
    text_add(answer, data, length);
    return answer->failed ? 0 : length;
}

static struct curl_slist *add_header(struct curl_slist *headers, const char *line)
{
    struct curl_slist *longer = curl_slist_append(headers, line);
    return longer == NULL ? headers : longer;
}

/* One line, whatever was typed. */
static struct curl_slist *make_headers(const char *purpose, const char *token)
{
    char line[PURPOSE_MAX + 20];
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/json");
    if (token != NULL && headers != NULL) {
        (void)snprintf(line, sizeof line, "X-Progress: %.32s", token);
        headers = add_header(headers, line);
    }
    if (purpose == NULL || purpose[0] == '\0' || headers == NULL)
        return headers;
    (void)snprintf(line, sizeof line, "X-Purpose: %.*s", PURPOSE_MAX, purpose);
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return add_header(headers, line);
}

static void set_common(CURL *curl, const struct remote *remote, const char *url,
                       int timeout_s, struct text *answer)
{
    (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, remote->socket);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)timeout_s);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
}

static void set_options(struct remote *remote, const struct remote_call *call,
                        const char *url, const char *body)
{
    CURL *curl = remote->curl;
    int patience_s = strcmp(call->method, "GET") == 0 ? SHOWN_S : ANSWER_S;
    set_common(curl, remote, url, call->timeout_s == 0 ? patience_s : call->timeout_s,
               &remote->answer);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    if (body != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
}

static void complain(struct remote *remote, CURLcode result, struct error *error)
{
    long failure = 0;
    (void)curl_easy_getinfo(remote->curl, CURLINFO_OS_ERRNO, &failure);
    bool system = result == CURLE_COULDNT_CONNECT && failure != 0;
    const char *advice = "";
    if (system && failure == ENOENT) /* a reload does not move the socket */
        advice = "; is mailbraked running? If control.socket was changed, restart it, or "
                 "name the old one with --socket";
    else if (system && failure == ECONNREFUSED)
        advice = "; is mailbraked running?";
    else if (result == CURLE_OPERATION_TIMEDOUT)
        advice = "; it runs, but does not answer: its log may say why";
    (void)error_set(error, STATUS_UNAVAILABLE, "can't reach mailbraked at %s: %s%s",
                    remote->socket,
                    system ? strerror((int)failure) : curl_easy_strerror(result), advice);
}

/* True when the daemon listens, but its backlog is full. */
static bool is_crowded(struct remote *remote, CURLcode result)
{
    long failure = 0;
    (void)curl_easy_getinfo(remote->curl, CURLINFO_OS_ERRNO, &failure);
    return result == CURLE_COULDNT_CONNECT && failure != ENOENT &&
           failure != ECONNREFUSED && failure != EACCES;
}

/* ---- progress ---- */

/* Asks on a separate connection. The line is overwritten, and wiped at the end. */
static void show_progress(const struct remote *remote, const char *token, bool *shown)
{
    char url[80];
    struct text answer = {0};
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        return;
    (void)snprintf(url, sizeof url, "http://mailbraked/v1/progress/%s", token);
    set_common(curl, remote, url, LOOK_TIME_S, &answer);
    CURLcode result = curl_easy_perform(curl);
    json_t *json = result == CURLE_OK
                       ? json_loadb(text_string(&answer), answer.length, 0, NULL)
                       : NULL;
    json_int_t done, total;
    if (json_unpack(json, "{s:I, s:I}", "done", &done, "total", &total) == 0) {
        (void)fprintf(stderr, "\r%lld of %lld", (long long)done, (long long)total);
        (void)fflush(stderr);
        *shown = true;
    }
    json_decref(json);
    text_clear(&answer);
    curl_easy_cleanup(curl);
}

static CURLcode perform_watched(struct remote *remote, const char *token)
{
    static const char wipe[] = "\r\033[K";
    int running = 1;
    int left;
    bool shown = false;
    CURLcode result = CURLE_OUT_OF_MEMORY;
    CURLM *multi = curl_multi_init();
    if (multi == NULL || curl_multi_add_handle(multi, remote->curl) != CURLM_OK)
        running = 0;
    int64_t next_us = clock_deadline_us(LOOK_MS);
    while (running > 0 && curl_multi_perform(multi, &running) == CURLM_OK &&
           running > 0) {
        (void)curl_multi_poll(multi, NULL, 0, LOOK_MS, NULL);
        if (clock_monotonic_us() < next_us)
            continue;
        show_progress(remote, token, &shown);
        next_us = clock_deadline_us(LOOK_MS);
    }
    const CURLMsg *message = multi == NULL ? NULL : curl_multi_info_read(multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE)
        result = message->data.result;
    if (multi != NULL) {
        (void)curl_multi_remove_handle(multi, remote->curl);
        (void)curl_multi_cleanup(multi);
    }
    if (shown)
        (void)fputs(wipe, stderr);
    return result;
}

/* ---- asking ---- */

/* Without a connection nothing was sent, so it is safe to retry. token: to ask for its
 * progress, or NULL. */
static CURLcode perform(struct remote *remote, const char *token)
{
    CURLcode result;
    for (int i = 0;; i++) {
        result = token == NULL ? curl_easy_perform(remote->curl)
                               : perform_watched(remote, token);
        if (i == ATTEMPTS || !is_crowded(remote, result))
            return result;
        clock_sleep_ms(PAUSE_MS);
    }
}

/* On a terminal: a token for work that may be long. */
static const char *make_token(const struct remote_call *call, char out[DIGEST_ID_SIZE])
{
    if (strcmp(call->method, "GET") == 0 || isatty(STDERR_FILENO) == 0 ||
        digest_init() != STATUS_OK)
        return NULL;
    digest_random_id(out);
    return out;
}

/* The HTTP status, 0 when there is none. */
static long transfer(struct remote *remote, const struct remote_call *call,
                     const char *body, struct error *error)
{
    struct text url = {0};
    long code = 0;
    char id[DIGEST_ID_SIZE];
    CURLcode result = CURLE_OUT_OF_MEMORY;
    const char *token = make_token(call, id);
    text_printf(&url, "http://mailbraked%s", call->path);
    struct curl_slist *headers = make_headers(call->purpose, token);
    text_reset(&remote->answer);
    curl_easy_reset(remote->curl);
    if (!url.failed && headers != NULL) {
        set_options(remote, call, text_string(&url), body);
        (void)curl_easy_setopt(remote->curl, CURLOPT_HTTPHEADER, headers);
        result = perform(remote, token);
    }
    curl_slist_free_all(headers);
    text_clear(&url);
    if (result == CURLE_OK)
        (void)curl_easy_getinfo(remote->curl, CURLINFO_RESPONSE_CODE, &code);
    else
        complain(remote, result, error);
    return code;
}

enum status remote_ask(struct remote *remote, const struct remote_call *call,
                       json_t **out_answer, struct error *error)
{
    char *body = call->body == NULL ? NULL : json_dumps(call->body, JSON_COMPACT);
    if (call->body != NULL && body == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    long code = transfer(remote, call, body, error);
    free(body);
    if (code == 0)
        return STATUS_UNAVAILABLE;
    json_t *answer =
        json_loadb(text_string(&remote->answer), remote->answer.length, 0, NULL);
    if (!json_is_object(answer)) {
        json_decref(answer);
        return error_set(error, STATUS_UNAVAILABLE,
                         "mailbraked at %s: the answer can't be understood (status %ld)",
                         remote->socket, code);
    }
    *out_answer = answer;
    return code >= 200 && code < 300 ? STATUS_OK : STATUS_INVALID;
}

json_t *remote_do(struct remote *remote, const struct remote_call *call)
{
    struct error error = {0};
    json_t *answer = NULL;
    enum status status = remote_ask(remote, call, &answer, &error);
    if (status == STATUS_OK)
        return answer;
    const char *text = json_string_value(json_object_get(answer, "error"));
    if (status == STATUS_INVALID && text == NULL)
        text = "mailbraked refused";
    output_complaint(text == NULL ? error.text : text);
    json_decref(answer);
    return NULL;
}
