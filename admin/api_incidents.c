/* /v1/incidents: what one rule stopped for one key, seen and decided as one. */
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "admin/api.h"
#include "admin/instant.h"
#include "admin/output.h"
#include "base/clock.h"
#include "quarantine/record.h"

void api_incidents_list(struct request *request)
{
    json_t *incidents = NULL;
    enum status status =
        ledger_incidents(request->context->ledger, request_deadline_us(), &incidents);
    if (status != STATUS_OK)
        request_fail_status(request, status, NULL, "incidents");
    else
        request_answer(request, json_pack("{s:o}", "incidents", incidents));
}

/* The incident that the path names; NULL after the answer was made. */
static json_t *find(struct request *request)
{
    json_t *incident = NULL;
    enum status status = ledger_find_incident(request->context->ledger, request->id,
                                              request_deadline_us(), &incident);
    if (status == STATUS_NOT_FOUND)
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no incident %s", request->id);
    else if (status != STATUS_OK)
        request_fail_status(request, status, NULL, request->id);
    return incident;
}

/* Its messages that are held; NULL after the answer was made. */
static json_t *find_holds(struct request *request)
{
    size_t i;
    json_t *hold;
    json_t *all = NULL;
    enum status status =
        ledger_holds(request->context->ledger, false, request_deadline_us(), &all);
    if (status != STATUS_OK) {
        request_fail_status(request, status, NULL, "holds");
        return NULL;
    }
    json_t *holds = json_array();
    json_array_foreach(all, i, hold)
    {
        if (strcmp(record_text(hold, "incident"), request->id) == 0)
            (void)json_array_append(holds, hold);
    }
    json_decref(all);
    if (holds == NULL)
        request_answer(request, NULL);
    return holds;
}

void api_incidents_show(struct request *request)
{
    json_t *incident = find(request);
    json_t *holds = incident == NULL ? NULL : find_holds(request);
    if (holds != NULL)
        request_answer(request, json_object_set_new(incident, "holds", holds) == 0
                                    ? json_incref(incident)
                                    : NULL);
    json_decref(incident);
    request_audit(request, "show", request->id, request_result(request));
}

/* ---- all of one ---- */

static json_t *decide_one(struct request *request, enum actions_verb verb, const char *id,
                          size_t *failed)
{
    struct error error;
    enum status status =
        actions_decide(request->context->actions, request->settings, verb, id, &error);
    if (status == STATUS_OK)
        return json_pack("{s:s, s:b}", "id", id, "ok", 1);
    ++*failed;
    return json_pack("{s:s, s:b, s:o}", "id", id, "ok", 0, "error",
                     output_string(error.text));
}

static void decide_all(struct request *request, enum actions_verb verb)
{
    size_t i;
    const json_t *hold;
    size_t failed = 0;
    char result[100];
    json_t *incident = find(request);
    json_t *holds = incident == NULL ? NULL : find_holds(request);
    json_decref(incident);
    if (holds == NULL) {
        request_audit(request, actions_verb_name(verb), request->id,
                      request_result(request));
        return;
    }
    /* Written before the first message moves: a crash midway leaves a trace. */
    char begun[40];
    (void)snprintf(begun, sizeof begun, "%s begun", actions_verb_name(verb));
    (void)snprintf(result, sizeof result, "%zu messages", json_array_size(holds));
    request_audit(request, begun, request->id, result);
    json_t *results = json_array();
    json_array_foreach(holds, i, hold)(void) json_array_append_new(
        results, decide_one(request, verb, record_text(hold, "id"), &failed));
    size_t done = json_array_size(holds) - failed;
    json_decref(holds);
    request_answer(request, json_pack("{s:s, s:o, s:I, s:I}", "incident", request->id,
                                      "results", results, "done", (json_int_t)done,
                                      "failed", (json_int_t)failed));
    (void)snprintf(result, sizeof result, "%s: %zu messages, %zu failed",
                   failed == 0 ? "ok" : "in part", done, failed);
    request_audit(request, actions_verb_name(verb), request->id, result);
}

void api_incidents_release(struct request *request)
{
    decide_all(request, ACTIONS_RELEASE);
}

void api_incidents_refuse(struct request *request)
{
    decide_all(request, ACTIONS_REFUSE);
}

void api_incidents_delete(struct request *request)
{
    decide_all(request, ACTIONS_DELETE);
}

/* ---- its future ---- */

void api_incidents_close(struct request *request)
{
    json_t *patch = json_pack("{s:b}", "open", 0);
    json_t *incident = find(request);
    if (incident != NULL) {
        enum status status =
            patch == NULL ? STATUS_NOMEM
                          : ledger_patch_incident(request->context->ledger, request->id,
                                                  patch, request_deadline_us());
        if (status != STATUS_OK)
            request_fail_status(request, status, NULL, request->id);
        else
            request_answer(request,
                           json_pack("{s:s, s:b}", "id", request->id, "open", 0));
    }
    json_decref(incident);
    json_decref(patch);
    request_audit(request, "close", request->id, request_result(request));
}

/* What an allowance is for; false after the answer was made. */
static bool is_allowable(struct request *request, const json_t *incident)
{
    if (strcmp(record_text(incident, "rule"), "brake") == 0)
        request_fail(request, MHD_HTTP_CONFLICT,
                     "a brake made this incident: clear the brake instead");
    else if (record_text(incident, "fingerprint")[0] == '\0' ||
             record_text(incident, "key")[0] == '\0' ||
             record_text(incident, "key")[0] == '(')
        request_fail(request, MHD_HTTP_CONFLICT,
                     "the key of this incident is not known (it was rebuilt from the "
                     "queue, or stands for many)");
    else
        return true;
    return false;
}

static void allow(struct request *request, const json_t *incident)
{
    int64_t for_ms = 0;
    char until[INSTANT_SIZE];
    if (!request_duration(request, "for", &for_ms))
        return;
    if (for_ms == 0) {
        request_fail(request, MHD_HTTP_BAD_REQUEST, "for how long? (\"for\": \"4h\")");
        return;
    }
    int64_t until_ms = clock_wall_ms() + for_ms;
    enum status status =
        board_allow(request->context->board, record_text(incident, "fingerprint"),
                    record_text(incident, "key"), until_ms, request_deadline_us());
    if (status != STATUS_OK) {
        request_fail_status(request, status, NULL, "allow");
        return;
    }
    instant_format(until_ms, until);
    request_answer(request, json_pack("{s:s, s:o, s:o, s:s}", "id", request->id, "rule",
                                      output_string(record_text(incident, "rule")), "key",
                                      output_string(record_text(incident, "key")),
                                      "until", until));
}

void api_incidents_allow(struct request *request)
{
    json_t *incident = find(request);
    if (incident != NULL && is_allowable(request, incident))
        allow(request, incident);
    json_decref(incident);
    request_audit(request, "allow", request->id, request_result(request));
}
