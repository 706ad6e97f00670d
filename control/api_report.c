/* /v1/report and /v1/top: what was stopped, and who sends most. */
#include <microhttpd.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "control/api.h"
#include "control/api_view.h"
#include "engine/json_output.h"
#include "engine/report.h"
#include "engine/traffic.h"
#include "quarantine/ledger_list.h"

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
    enum status status =
        traffic_flush(context->traffic, context->store, request_deadline_us());
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

/* What is open, the last ones; null when the store does not answer. */
static json_t *open_incidents(const struct request *request)
{
    struct ledger_list *list = NULL;
    json_t *shown = json_array();
    enum status status = ledger_list_incidents(request->context->ledger, false,
                                               request_deadline_us(), &list);
    while (status == STATUS_OK) {
        json_t *incident = NULL;
        status = ledger_list_next(list, request_deadline_us(), &incident);
        if (status == STATUS_OK)
            (void)json_array_append_new(shown, api_view_incident(incident));
        if (json_array_size(shown) > TOP_INCIDENTS)
            (void)json_array_remove(shown, 0);
        json_decref(incident);
    }
    ledger_list_free(list);
    if (status == STATUS_NOT_FOUND)
        return shown;
    json_decref(shown);
    return json_null();
}

void api_top_show(struct request *request)
{
    struct traffic *traffic = request->context->traffic;
    int64_t now_ms = clock_wall_ms();
    request_answer(request,
                   json_pack("{s:o, s:i, s:o, s:o, s:o, s:o, s:o}", "host",
                             json_output_string(request->context->host), "minutes",
                             TRAFFIC_MINUTES, "senders",
                             traffic_now(traffic, TRAFFIC_SENDERS, TOP, now_ms), "lists",
                             traffic_now(traffic, TRAFFIC_LISTS, TOP, now_ms), "clients",
                             traffic_now(traffic, TRAFFIC_CLIENTS, TOP, now_ms),
                             "by_minute", traffic_minutes(traffic, now_ms), "incidents",
                             open_incidents(request)));
}
