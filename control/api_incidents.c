/* /v1/incidents: what one rule stopped for one key, shown and decided together. */
#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/instant.h"
#include "control/api.h"
#include "control/api_view.h"
#include "control/batch.h"
#include "control/incident_page.h"
#include "control/release.h"
#include "control/stream.h"
#include "engine/json_output.h"
#include "policy/plan.h"
#include "quarantine/record.h"

static bool is_asked(const struct request *request, const char *name)
{
    const char *value = request_query(request, name);
    return value != NULL && strcmp(value, "0") != 0;
}

/* INVALID when since is no duration. */
static enum status list(const struct request *request, struct ledger_list **out,
                        struct error *error)
{
    int64_t since_ms = 0;
    const char *since = request_query(request, "since");
    struct ledger *ledger = request->context->ledger;
    int64_t deadline_us = request_list_deadline_us();
    if (since != NULL && duration_parse(since, &since_ms, error) != STATUS_OK)
        return error_set(error, STATUS_INVALID, "\"since\" is a duration, as in \"7d\"");
    if (since != NULL)
        since_ms = clock_wall_ms() - since_ms;
    if (is_asked(request, "would"))
        return ledger_list_would(ledger, since_ms, deadline_us, out);
    return is_asked(request, "all")
               ? ledger_list_incidents(ledger, since_ms, deadline_us, out)
               : ledger_list_current(ledger, deadline_us, out);
}

/* A number of the URL; false when it is none, or more than most. */
static bool read_number(const struct request *request, const char *name, size_t most,
                        size_t *out)
{
    char *end = NULL;
    const char *text = request_query(request, name);
    if (text == NULL)
        return true;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || !isdigit((unsigned char)text[0]) || *end != '\0' || number > most)
        return false;
    *out = (size_t)number;
    return true;
}

/* Takes the list over. */
static void answer_page(struct request *request, struct ledger_list *incidents)
{
    json_t *page = NULL;
    struct error error = {0};
    struct incident_page_query query = {.ledger = request->context->ledger,
                                        .find = request_query(request, "find")};
    enum status status =
        read_number(request, "limit", INCIDENT_PAGE_MAX, &query.limit) &&
                read_number(request, "offset", DOCUMENTS_LISTED_MAX, &query.offset)
            ? incident_page_read(&query, incidents, &page)
            : error_set(
                  &error, STATUS_INVALID,
                  "\"limit\" is a number of at most %d, \"offset\" one of at most %d",
                  INCIDENT_PAGE_MAX, DOCUMENTS_LISTED_MAX);
    if (status == STATUS_LIMIT)
        status = error_set(&error, STATUS_INVALID, "\"find\" has at most %d bytes",
                           INCIDENT_PAGE_FIND_MAX);
    if (status == STATUS_OK)
        request_answer(request, page);
    else
        request_fail_status(request, status, &error, "incidents");
    ledger_list_free(incidents);
}

void api_incidents_list(struct request *request)
{
    struct error error = {0};
    struct ledger_list *incidents = NULL;
    enum status status = list(request, &incidents, &error);
    const struct stream_view view = {.name = "incidents", .view = api_view_incident};
    if (status != STATUS_OK)
        request_fail_status(request, status, &error, "incidents");
    else if (request_query(request, "limit") != NULL)
        answer_page(request, incidents);
    else
        request_stream(request, stream_new(incidents, &view));
    request_audit(request, "incidents", "", request_result(request));
}

/* The incident that the path names; NULL after making the answer. */
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
    json_t *hold;
    struct ledger_list *all = NULL;
    json_t *holds = json_array();
    enum status status = ledger_list_holds(request->context->ledger, false, request->id,
                                           request_list_deadline_us(), &all);
    while (status == STATUS_OK && holds != NULL) {
        status = ledger_list_next(all, request_deadline_us(), &hold);
        if (status == STATUS_OK)
            (void)json_array_append_new(holds, hold);
    }
    ledger_list_free(all);
    if (holds != NULL && status == STATUS_NOT_FOUND)
        return holds;
    request_fail_status(request, holds == NULL ? STATUS_NOMEM : status, NULL, "holds");
    json_decref(holds);
    return NULL;
}

/* When the first of those that wait, the oldest, is refused by itself; null without any.
 */
static json_t *first_end(const struct request *request, const json_t *holds)
{
    char at[INSTANT_SIZE];
    int64_t held_ms = 0;
    if (!instant_parse(record_text(json_array_get(holds, 0), "held_at"), &held_ms))
        return json_null();
    instant_format(held_ms + request->settings->quarantine.expire_ms, at);
    return json_string(at);
}

void api_incidents_show(struct request *request)
{
    json_t *incident = find(request);
    json_t *holds = incident == NULL ? NULL : find_holds(request);
    json_t *pace = NULL;
    if (holds != NULL) {
        json_t *shown = api_view_incident(incident);
        (void)!pace_find(request->context->store, request->id, request_deadline_us(),
                         &pace);
        (void)json_object_set_new(shown, "pace", pace_show(pace));
        (void)json_object_set_new(shown, "expires_at", first_end(request, holds));
        request_answer(
            request,
            json_object_set_new(shown, "holds", api_view_all(holds, api_view_hold)) == 0
                ? json_incref(shown)
                : NULL);
        json_decref(shown);
    }
    json_decref(pace);
    json_decref(holds);
    json_decref(incident);
    request_audit(request, "show", request->id, request_result(request));
}

/* ---- decisions ---- */

void api_incidents_decide(struct request *request)
{
    size_t i;
    const json_t *hold;
    json_t *incident = find(request);
    json_t *holds = incident == NULL ? NULL : find_holds(request);
    json_decref(incident);
    if (holds == NULL) {
        request_audit(request, actions_verb_name(request->verb), request->id,
                      request_result(request));
        return;
    }
    json_t *ids = json_array();
    json_array_foreach(holds, i, hold)(void)
        json_array_append(ids, json_object_get(hold, "id"));
    batch_decide(request, request->id, ids);
    if (request->code == MHD_HTTP_OK)
        (void)json_object_set_new(request->json, "incident",
                                  json_output_string(request->id));
    json_decref(ids);
    json_decref(holds);
}

void api_incidents_stop(struct request *request)
{
    if (!request_begin(request, "stop", request->id, NULL))
        return;
    enum status status =
        pace_stop(request->context->store, request->id, request_deadline_us());
    if (status == STATUS_NOT_FOUND)
        request_fail(request, MHD_HTTP_NOT_FOUND, "incident %s is not released slowly",
                     request->id);
    else if (status != STATUS_OK)
        request_fail_status(request, status, NULL, request->id);
    else
        request_answer(request, json_pack("{s:s, s:n}", "id", request->id, "pace"));
    request_end(request, request_result(request));
}

/* ---- close and allow ---- */

/* Changes the store's state of an incident's key, if its rule still exists. */
static enum status amend(const struct request *request, const json_t *incident,
                         enum amend what)
{
    const struct rule *rule = policy_find_rule(&request->settings->policy,
                                               record_text(incident, "fingerprint"));
    if (rule == NULL || !rule_is_metered(rule))
        return STATUS_OK;
    const struct charge charge = plan_charge(rule, record_text(incident, "key"), 0);
    return store_amend(request->context->store, &charge, 1, what, request_deadline_us());
}

void api_incidents_close(struct request *request)
{
    if (!request_begin(request, "close", request->id, NULL))
        return;
    json_t *incident = find(request);
    if (incident != NULL) {
        enum status status = amend(request, incident, AMEND_UNLATCH);
        if (status == STATUS_OK)
            status = ledger_close_incident(request->context->ledger, request->id,
                                           request_deadline_us());
        if (status != STATUS_OK)
            request_fail_status(request, status, NULL, request->id);
        else
            request_answer(request,
                           json_pack("{s:s, s:b}", "id", request->id, "open", 0));
    }
    json_decref(incident);
    request_end(request, request_result(request));
}

/* False, after making the answer, when no rule and key can be allowed. */
static bool is_allowable(struct request *request, const json_t *incident)
{
    if (strcmp(record_text(incident, "rule"), "brake") == 0)
        request_fail(request, MHD_HTTP_CONFLICT,
                     "a brake made this incident: clear the brake instead");
    else if (strcmp(record_text(incident, "rule"), "lists_unknown") == 0)
        request_fail(request, MHD_HTTP_CONFLICT,
                     "no rule made this incident, but a list that could not be read");
    else if (strcmp(record_text(incident, "rule"), "lists_grown") == 0)
        request_fail(request, MHD_HTTP_CONFLICT,
                     "no rule made this incident, but a list that has grown: see "
                     "mailbrake lists accept");
    else if (strcmp(record_text(incident, "fingerprint"), "on_failure") == 0 ||
             strcmp(record_text(incident, "fingerprint"), "doubt") == 0)
        request_fail(request, MHD_HTTP_CONFLICT,
                     "no rule made this incident: the message could not be judged");
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
        request_fail(request, MHD_HTTP_BAD_REQUEST,
                     "\"for\" is missing: for how long, as in \"4h\"");
        return;
    }
    int64_t until_ms = clock_wall_ms() + for_ms;
    const struct allowance allowance = brakes_borrow_allowance(
        record_text(incident, "fingerprint"), record_text(incident, "key"), until_ms);
    enum status status = active_brakes_allow(request->context->active_brakes, &allowance,
                                             request_deadline_us());
    if (status == STATUS_OK) /* the mail to come is wanted, so a surge may train on it */
        status = amend(request, incident, AMEND_TRAIN);
    if (status != STATUS_OK) {
        request_fail_status(request, status, NULL, "allow");
        return;
    }
    instant_format(until_ms, until);
    request_answer(request,
                   json_pack("{s:s, s:o, s:o, s:s}", "id", request->id, "rule",
                             json_output_string(record_text(incident, "rule")), "key",
                             json_output_string(record_text(incident, "key")), "until",
                             until));
}

void api_incidents_allow(struct request *request)
{
    if (!request_begin(request, "allow", request->id, NULL))
        return;
    json_t *incident = find(request);
    if (incident != NULL && is_allowable(request, incident))
        allow(request, incident);
    json_decref(incident);
    request_end(request, request_result(request));
}
