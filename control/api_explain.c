/* POST /v1/explain: a hypothetical message, judged as the daemon would judge it now, and
 * not charged. */
#include <microhttpd.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control/api.h"
#include "engine/explain_query.h"
#include "engine/explanation.h"
#include "engine/json_output.h"

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
    const char *wrong = explain_query_read(request->body, &query);
    if (wrong == NULL)
        judge_query(request, &query);
    else
        request_fail(request, MHD_HTTP_BAD_REQUEST, "%s", wrong);
    const char *identity = json_string_value(json_object_get(request->json, "identity"));
    request_audit_key(request, "explain", identity == NULL ? "" : identity,
                      request_result(request));
    explain_query_clear(&query);
}
