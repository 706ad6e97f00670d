/* Whatever is not a whole answer is none: redirects are not followed, since the password
 * is for one server alone. */
#include "lists/rest_client.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { ANSWER_MAX = 256 << 20, SAID_MAX = 150 };

struct rest_client {
    CURL *curl;
    struct rest_client_args args;
    struct text answer;
    bool too_long;
    char reason[CURL_ERROR_SIZE]; /* curl's, of the last failure */
};

/* curl's write function. */
static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct rest_client *client = context;
    client->too_long = client->answer.length + size * count > ANSWER_MAX;
    if (client->too_long)
        return 0;
    text_add(&client->answer, data, size * count);
    return client->answer.failed ? 0 : size * count;
}

enum status rest_client_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? STATUS_OK
                                                             : STATUS_UNAVAILABLE;
}

enum status rest_client_open(const struct rest_client_args *args,
                             struct rest_client **out)
{
    struct rest_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return STATUS_NOMEM;
    client->args = *args;
    client->curl = curl_easy_init();
    if (client->curl == NULL) {
        free(client);
        return STATUS_NOMEM;
    }
    CURL *curl = client->curl;
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    if (args->user[0] != '\0') {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        (void)curl_easy_setopt(curl, CURLOPT_USERNAME, args->user);
        (void)curl_easy_setopt(curl, CURLOPT_PASSWORD, args->password);
    }
    *out = client;
    return STATUS_OK;
}

void rest_client_close(struct rest_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->curl);
    text_clear(&client->answer);
    free(client);
}

static enum status fail_late(struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE,
                     "was not read to the end in time (timeout)");
}

static enum status explain_failure(const struct rest_client *client, CURLcode result,
                                   int64_t timeout_ms, struct error *error)
{
    if (client->answer.failed || result == CURLE_OUT_OF_MEMORY)
        return STATUS_NOMEM;
    if (client->too_long)
        return error_set(error, STATUS_UNAVAILABLE, "the answer is larger than %d bytes",
                         ANSWER_MAX);
    if (result == CURLE_OPERATION_TIMEDOUT &&
        timeout_ms < client->args.request_timeout_ms)
        return fail_late(error);
    if (result == CURLE_OPERATION_TIMEDOUT)
        return error_set(error, STATUS_UNAVAILABLE,
                         "no complete answer within %.1f s (request_timeout)",
                         (double)timeout_ms / 1000);
    if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE)
        return error_set(error, STATUS_UNAVAILABLE,
                         "its certificate is not accepted: %s (which ones this system "
                         "trusts: package ca-certificates, update-ca-certificates)",
                         client->reason);
    return error_set(error, STATUS_UNAVAILABLE, "%s", curl_easy_strerror(result));
}

/* What the administrator can do about an answer that is not 200. */
static enum status explain_code(const struct rest_client *client, long code,
                                const char *path, struct error *error)
{
    struct text said = {0};
    enum status status = code == 400 ? STATUS_INVALID : STATUS_UNAVAILABLE;
    text_add_escaped(&said, text_string(&client->answer), client->answer.length,
                     SAID_MAX);
    if (code == 401 || code == 403)
        (void)error_set(
            error, status,
            "the server doesn't accept this user and password (%ld): see user "
            "and password_file",
            code);
    else if (code == 404)
        (void)error_set(
            error, status,
            "the server has no %.100s (404): does the address end with the version of "
            "its API, as in http://127.0.0.1:8001/3.1?",
            path);
    else
        (void)error_set(error, status, "the server answers %ld to %.100s: %s", code, path,
                        text_string(&said));
    text_clear(&said);
    return status;
}

static enum status parse(const struct rest_client *client, const char *path, json_t **out,
                         struct error *error)
{
    json_error_t wrong;
    json_t *json = json_loadb(text_string(&client->answer), client->answer.length,
                              JSON_REJECT_DUPLICATES, &wrong);
    if (json == NULL)
        return json_error_code(&wrong) == json_error_out_of_memory
                   ? STATUS_NOMEM
                   : error_set(error, STATUS_UNAVAILABLE,
                               "the answer to %.100s is not JSON: %.100s", path,
                               wrong.text);
    *out = json;
    return STATUS_OK;
}

enum status rest_client_get(struct rest_client *client, const char *path, json_t **out,
                            struct error *error)
{
    struct text url = {0};
    long code = 0;
    int64_t left_ms = (client->args.deadline_us - clock_monotonic_us()) / 1000;
    if (left_ms > client->args.request_timeout_ms)
        left_ms = client->args.request_timeout_ms;
    if (left_ms <= 0)
        return fail_late(error);
    text_printf(&url, "%s%s", client->args.url, path);
    if (url.failed) {
        text_clear(&url);
        return STATUS_NOMEM;
    }
    text_reset(&client->answer);
    (void)curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
    (void)curl_easy_setopt(client->curl, CURLOPT_URL, text_string(&url));
    CURLcode result = curl_easy_perform(client->curl);
    (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &code);
    text_clear(&url);
    if (result != CURLE_OK)
        return explain_failure(client, result, left_ms, error);
    return code == 200 ? parse(client, path, out, error)
                       : explain_code(client, code, path, error);
}
