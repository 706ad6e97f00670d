/* POST /v1/explain: a hypothetical message, judged as the daemon would judge it now, and
 * not charged. */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ip_address.h"
#include "control/api.h"
#include "engine/explanation.h"
#include "engine/json_output.h"

enum { EXPLAINED_MAX = 5000 }; /* recipients, and header fields */

/* Borrows from the request's body. */
struct explain_query {
    struct envelope envelope;
    struct envelope_recipient *recipients;
    struct header *headers;
};

static void query_clear(struct explain_query *query)
{
    free(query->recipients);
    free(query->headers);
}

/* An array of the body with at most EXPLAINED_MAX items, else NULL. */
static const json_t *array_of(const struct request *request, const char *name)
{
    const json_t *array = json_object_get(request->body, name);
    return json_is_array(array) && json_array_size(array) <= EXPLAINED_MAX ? array : NULL;
}

/* False when an item is not a string. */
static bool take_recipients(const json_t *array, struct explain_query *out)
{
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *address = json_string_value(item);
        if (address == NULL)
            return false;
        out->recipients[i] =
            (struct envelope_recipient){.typed = address, .address = address};
    }
    out->envelope.recipients = out->recipients;
    out->envelope.recipient_count = json_array_size(array);
    return true;
}

static bool take_headers(const json_t *array, struct explain_query *out)
{
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        const char *value = json_string_value(json_object_get(item, "value"));
        if (name == NULL || value == NULL)
            return false;
        out->headers[i] = (struct header){.name = name, .value = value};
    }
    out->envelope.headers = out->headers;
    out->envelope.header_count = json_array_size(array);
    return true;
}

static bool take_client(const char *client, struct explain_query *out)
{
    uint8_t address[16];
    out->envelope.client = client;
    if (client == NULL)
        return true;
    out->envelope.local = strcmp(client, "local") == 0;
    return out->envelope.local || ip_address_parse(client, address);
}

/* What is wrong with the body; NULL when nothing is. */
static const char *take_query(const struct request *request, struct explain_query *out)
{
    const json_t *to = array_of(request, "to");
    const json_t *headers = array_of(request, "headers");
    out->envelope.sender = request_string(request, "from");
    out->envelope.login = request_string(request, "login");
    bool sent = out->envelope.sender != NULL || out->envelope.login != NULL;
    if (!sent || to == NULL || json_array_size(to) == 0)
        return "\"from\" (or \"login\") and \"to\" (an array, not empty) are needed";
    if (headers == NULL && json_object_get(request->body, "headers") != NULL)
        return "\"headers\" is an array of {\"name\", \"value\"}";
    if (!take_client(request_string(request, "client"), out))
        return "\"client\" is an IP address or \"local\"";
    out->recipients = calloc(json_array_size(to) + 1, sizeof *out->recipients);
    out->headers = calloc(json_array_size(headers) + 1, sizeof *out->headers);
    if (out->recipients == NULL || out->headers == NULL)
        return "out of memory";
    if (!take_recipients(to, out))
        return "\"to\" is an array of strings";
    if (headers != NULL && !take_headers(headers, out))
        return "\"headers\" is an array of {\"name\", \"value\"}";
    return NULL;
}

/* The file that the rules are from. */
static void add_configuration(const struct request *request, json_t *json)
{
    char *whole = realpath(request->settings->file, NULL);
    const char *file = whole == NULL ? request->settings->file : whole;
    (void)json_object_set_new(json, "configuration", json_output_string(file));
    free(whole);
}

static void judge_query(struct request *request, const struct explain_query *query)
{
    const struct control_context *context = request->context;
    struct explanation explanation;
    int64_t now_ms = clock_wall_ms();
    const struct brakes *brakes = active_brakes_take(context->active_brakes);
    const struct engine_input input = {.snapshot = request->snapshot,
                                       .envelope = &query->envelope,
                                       .brakes = brakes,
                                       .conversations = context->conversations,
                                       .key = context->key,
                                       .token_key = context->token_key,
                                       .now_ms = now_ms,
                                       .minute_of_week = clock_minute_of_week(now_ms)};
    if (explanation_make(&input, context->store, request_deadline_us(), &explanation) ==
        STATUS_OK) {
        json_t *json = explanation_json(&explanation);
        add_configuration(request, json);
        request_answer(request, json);
        explanation_clear(&explanation);
    } else {
        request_answer(request, NULL);
    }
    active_brakes_release(context->active_brakes, brakes);
}

void api_explain_run(struct request *request)
{
    struct explain_query query = {0};
    const char *wrong = take_query(request, &query);
    if (wrong == NULL)
        judge_query(request, &query);
    else
        request_fail(request, MHD_HTTP_BAD_REQUEST, "%s", wrong);
    const char *identity = json_string_value(json_object_get(request->json, "identity"));
    request_audit_key(request, "explain", identity == NULL ? "" : identity,
                      request_result(request));
    query_clear(&query);
}
