/* /v1/report and /v1/top: what was stopped, and who sends most. */
#include <microhttpd.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "control/api.h"
#include "control/api_view.h"
#include "control/relays.h"
#include "engine/json_output.h"
#include "engine/report.h"
#include "engine/traffic.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"

static const int64_t week_ms = INT64_C(7) * 86400 * 1000;

void api_report_show(struct request *request)
{
    struct error error = {0};
    json_t *report = NULL;
    int64_t since_ms = week_ms;
    const char *since = request_query(request, "since");
    const struct control_context *context = request->context;
    int64_t now_ms = clock_wall_ms();
    if (since != NULL && duration_parse(since, &since_ms, &error) != STATUS_OK) {
        request_fail(request, MHD_HTTP_BAD_REQUEST,
                     "\"since\" is a duration, as in \"7d\"");
        return;
    }
    /* What this relay has counted since the last minute counts, too. */
    bool hashed = request->settings->privacy.addresses == PRIVACY_HASHED;
    enum status status =
        traffic_flush(context->traffic, context->store, hashed ? context->key : NULL,
                      request_deadline_us());
    if (status == STATUS_OK)
        status = report_make(context->ledger, context->store,
                             since_ms < now_ms ? now_ms - since_ms : 0,
                             request_list_deadline_us(), &report);
    if (status == STATUS_OK)
        request_answer(request, report);
    else
        request_fail_status(request, status, NULL, "report");
    request_audit(request, "report", "", request_result(request));
}

enum { TOP = 20, TOP_INCIDENTS = 10 };

/* Keeps those that wait for a decision, the ones that reach most first. */
static void keep_waiting(json_t *waiting, json_t *incident)
{
    size_t place = 0;
    int64_t reach = record_number(incident, "reach");
    if (record_number(incident, "waiting") == 0)
        return;
    while (place < json_array_size(waiting) &&
           record_number(json_array_get(waiting, place), "reach") >= reach)
        place++;
    (void)json_array_insert(waiting, place, incident);
    if (json_array_size(waiting) > TOP_INCIDENTS)
        (void)json_array_remove(waiting, TOP_INCIDENTS);
}

/* Those that are open, the last ones, and those that wait; null when the store does not
 * answer. */
static void add_incidents(const struct request *request, json_t *answer)
{
    struct ledger_list *list = NULL;
    json_t *last = json_array();
    json_t *waiting = json_array();
    enum status status =
        ledger_list_current(request->context->ledger, request_deadline_us(), &list);
    while (status == STATUS_OK) {
        json_t *incident = NULL;
        status = ledger_list_next(list, request_deadline_us(), &incident);
        json_t *shown = status == STATUS_OK ? api_view_incident(incident) : NULL;
        if (shown != NULL) {
            keep_waiting(waiting, shown);
            (void)json_array_append(last, shown);
        }
        if (json_array_size(last) > TOP_INCIDENTS)
            (void)json_array_remove(last, 0);
        json_decref(shown);
        json_decref(incident);
    }
    ledger_list_free(list);
    bool known = status == STATUS_NOT_FOUND;
    (void)json_object_set(answer, "incidents", known ? last : json_null());
    (void)json_object_set(answer, "to_decide", known ? waiting : json_null());
    json_decref(last);
    json_decref(waiting);
}

/* The last hour of all relays with this store, and which these are; of this one alone
 * while they are not known. */
static json_t *show_hour(const struct request *request, int64_t now_ms, json_t *hosts)
{
    size_t i;
    struct hour hour;
    const json_t *relay;
    json_t *relays = relays_list(request);
    traffic_hour(request->context->traffic, &hour);
    (void)json_array_append_new(hosts, json_output_string(request->context->host));
    json_array_foreach(relays, i, relay)
    {
        const char *host = record_text(relay, "host");
        if (strcmp(host, request->context->host) != 0 &&
            hour_read(&hour, request->context->store, host, request_deadline_us()) ==
                STATUS_OK)
            (void)json_array_append(hosts, json_object_get(relay, "host"));
    }
    json_decref(relays);
    return hour_show(&hour, now_ms);
}

void api_top_show(struct request *request)
{
    struct traffic *traffic = request->context->traffic;
    int64_t now_ms = clock_wall_ms();
    json_t *hosts = json_array();
    json_t *answer =
        json_pack("{s:o, s:i, s:o, s:o, s:o, s:o, s:O}", "host",
                  json_output_string(request->context->host), "minutes", TRAFFIC_MINUTES,
                  "senders", traffic_now(traffic, TRAFFIC_SENDERS, TOP, now_ms), "lists",
                  traffic_now(traffic, TRAFFIC_LISTS, TOP, now_ms), "clients",
                  traffic_now(traffic, TRAFFIC_CLIENTS, TOP, now_ms), "by_minute",
                  show_hour(request, now_ms, hosts), "relays", hosts);
    json_decref(hosts);
    if (answer != NULL)
        add_incidents(request, answer);
    request_answer(request, answer);
}
