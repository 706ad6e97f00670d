/* /v1/brakes: set and cleared by hand. */
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "control/api.h"
#include "control/by_hand.h"
#include "control/relays.h"
#include "engine/json_output.h"
#include "quarantine/record.h"

/* How long to wait for the store before the brake is set on this relay alone. */
enum { SET_MS = 2000 };

void api_brakes_list(struct request *request)
{
    json_t *brakes = active_brakes_json(request->context->active_brakes, clock_wall_ms());
    request_answer(request, json_pack("{s:o}", "brakes", brakes));
}

static bool take_action(struct request *request, struct brake *brake)
{
    static const enum action actions[] = {ACTION_DEFER, ACTION_REJECT, ACTION_QUARANTINE};
    const json_t *given = json_object_get(request->body, "action");
    const char *name = json_string_value(given);
    brake->action = ACTION_DEFER;
    if (given == NULL || json_is_null(given))
        return true;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        brake->action = actions[i];
        if (name != NULL && strcmp(name, action_name(actions[i])) == 0)
            return true;
    }
    request_fail(request, MHD_HTTP_BAD_REQUEST,
                 "\"action\" is defer, reject or quarantine");
    return false;
}

static bool wants_pull_back(const struct request *request)
{
    return json_is_true(json_object_get(request->body, "pull_back"));
}

/* False, after making the answer, for what is neither true nor false. */
static bool take_pull_back(struct request *request, const struct brake *brake)
{
    const json_t *given = json_object_get(request->body, "pull_back");
    const char *why = NULL;
    if (given != NULL && !json_is_null(given) && !json_is_boolean(given))
        why = "\"pull_back\" is true or false";
    else if (json_is_true(given) && !actions_can_pull(brake))
        why = "only the mail of a login:, a sender: or a client: can be pulled back";
    if (why != NULL)
        request_fail(request, MHD_HTTP_BAD_REQUEST, "%s", why);
    return why == NULL;
}

/* key: as typed; NULL: none was. */
static enum status parse_key(const struct request *request, const char *key,
                             struct brake_key *out, struct error *error)
{
    const struct policy *policy = &request->settings->policy;
    if (key == NULL)
        return error_set(error, STATUS_INVALID, "which \"key\"?");
    return brake_key_parse(key, &policy->domains, &policy->logins, out, error);
}

/* The brake that the body describes; false after making the answer. */
static bool make_brake(struct request *request, struct brake *brake)
{
    struct error error = {0};
    int64_t for_ms = 0;
    const char *key = request_string(request, "key");
    enum status status = parse_key(request, key, &brake->key, &error);
    if (status != STATUS_OK) {
        request_fail_status(request, status, &error, "key");
        return false;
    }
    if (!request_duration(request, "for", &for_ms) || !take_action(request, brake) ||
        !by_hand_reason(request, &brake->reason) || !by_hand_author(request, &brake->by))
        return false;
    brake->until_ms = for_ms == 0 ? INT64_MAX : clock_wall_ms() + for_ms;
    return take_pull_back(request, brake);
}

static json_t *find_brake(const struct request *request, const char *key)
{
    size_t i;
    json_t *brake;
    json_t *found = NULL;
    json_t *brakes = active_brakes_json(request->context->active_brakes, clock_wall_ms());
    json_array_foreach(brakes, i, brake)
    {
        if (strcmp(record_text(brake, "key"), key) == 0)
            found = json_incref(brake);
    }
    json_decref(brakes);
    return found;
}

/* Pulls back mail from before the brake; the result, for the answer. */
static json_t *pull_back(struct request *request, const struct brake *brake)
{
    struct error error;
    struct actions_pull pulled;
    const struct actions_progress progress = request_progress(request);
    enum status status = actions_pull_back(request->context->actions, request->settings,
                                           brake, &progress, &pulled, &error);
    json_t *json =
        json_pack("{s:I, s:I, s:I}", "held", (json_int_t)pulled.held, "unrecorded",
                  (json_int_t)pulled.unrecorded, "failed", (json_int_t)pulled.failed);
    if (status != STATUS_OK)
        (void)json_object_set_new(json, "error", json_output_string(error.text));
    return json;
}

/* Adds what another relay pulled back; the first error is shown with its name. */
static void add_relay(json_t *json, const json_t *relay)
{
    static const char *const numbers[] = {"held", "unrecorded", "failed"};
    const char *error = record_text(relay, "error");
    const char *host = record_text(relay, "host");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)record_add_number(json, numbers[i], record_number(relay, numbers[i]));
    if (error[0] == '\0' || json_object_get(json, "error") != NULL)
        return;
    char text[600];
    bool named = strncmp(error, host, strlen(host)) == 0;
    (void)snprintf(text, sizeof text, "%s%s%s", named ? "" : host, named ? "" : ": ",
                   error);
    (void)json_object_set_new(json, "error", json_output_string(text));
}

/* The same on all other relays. */
static json_t *pull_back_everywhere(struct request *request, const struct brake *brake)
{
    size_t i;
    const json_t *relay;
    struct error error = {0};
    json_t *relays = NULL;
    json_t *body = json_pack("{s:s, s:s, s:b}", "key", brake->key.text, "action",
                             action_name(brake->action), "pull_back", 1);
    json_t *json = pull_back(request, brake);
    enum status status = relays_do(request, "pull back", body, &relays, &error);
    json_decref(body);
    if (status != STATUS_OK && json_object_get(json, "error") == NULL)
        (void)json_object_set_new(json, "error", json_output_string(error.text));
    json_array_foreach(relays, i, relay) add_relay(json, relay);
    (void)json_object_set_new(json, "relays", relays == NULL ? json_array() : relays);
    return json;
}

static void set(struct request *request, const struct brake *brake)
{
    enum status status = active_brakes_set(request->context->active_brakes, brake,
                                           clock_deadline_us(SET_MS));
    if (status != STATUS_OK) {
        request_fail_status(request, status, NULL, brake->key.text);
        return;
    }
    json_t *answer = json_pack("{s:o?}", "brake", find_brake(request, brake->key.text));
    if (answer != NULL && wants_pull_back(request))
        (void)json_object_set_new(answer, "pulled_back",
                                  pull_back_everywhere(request, brake));
    request_answer(request, answer);
}

/* The audit's result: "ok, pulled back 3, failed 0". */
static void format_result(const struct request *request, char *out, size_t size)
{
    const json_t *pulled = json_object_get(request->json, "pulled_back");
    const char *error = record_text(pulled, "error");
    if (pulled == NULL)
        (void)snprintf(out, size, "%s", request_result(request));
    else
        (void)snprintf(out, size, "ok, pulled back %lld, failed %lld%s%s",
                       (long long)record_number(pulled, "held") +
                           (long long)record_number(pulled, "unrecorded"),
                       (long long)record_number(pulled, "failed"),
                       error[0] == '\0' ? "" : ": ", error);
}

void api_brakes_set(struct request *request)
{
    struct brake brake = {0};
    char result[600];
    const char *typed = request_string(request, "key");
    if (!make_brake(request, &brake)) {
        request_audit_key(request, "brake set", typed == NULL ? "" : typed,
                          request_result(request));
    } else if (request_begin_key(request, "brake set", brake.key.text)) {
        set(request, &brake);
        format_result(request, result, sizeof result);
        request_end(request, result);
    }
    brake_clear(&brake);
}

void api_brakes_pull_back(struct request *request)
{
    struct brake brake = {0};
    char result[600];
    if (!make_brake(request, &brake) ||
        !request_begin_key(request, "pull back", brake.key.text)) {
        brake_clear(&brake);
        return;
    }
    json_t *pulled = pull_back(request, &brake);
    request_answer(request, json_pack("{s:O}", "pulled_back", pulled));
    format_result(request, result, sizeof result);
    request_answer(request, pulled);
    request_end(request, result);
    brake_clear(&brake);
}

static void clear(struct request *request, const char *key)
{
    enum status status =
        active_brakes_clear(request->context->active_brakes, key, request_deadline_us());
    if (status == STATUS_NOT_FOUND)
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no brake on %s", key);
    else if (status != STATUS_OK)
        request_fail_status(request, status, NULL, "brake");
    else
        request_answer(request, json_pack("{s:o, s:b}", "key", json_output_string(key),
                                          "cleared", 1));
}

void api_brakes_clear(struct request *request)
{
    struct error error = {0};
    struct brake_key key = {0};
    const char *typed = request_query(request, "key");
    enum status status = parse_key(request, typed, &key, &error);
    if (status != STATUS_OK) {
        request_fail_status(request, status, &error, "brake");
        request_audit_key(request, "brake clear", typed == NULL ? "" : typed,
                          request_result(request));
    } else if (request_begin_key(request, "brake clear", key.text)) {
        clear(request, key.text);
        request_end(request, request_result(request));
    }
    brake_key_clear(&key);
}
