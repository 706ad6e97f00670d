/* One that fails does not stop the others, unless store or helper did not answer several
 * times: each would take as long again. */
#include "admin/decision.h"

#include <stdio.h>

#include "admin/output.h"

enum { RESULT_SIZE = 500, SILENT_MAX = 3 };

struct decision {
    json_t *results, *done, *failed;
    char reason[300]; /* why the first that failed did */
    int silent;       /* how many, at last, got no answer */
};

static void decide(struct request *request, enum actions_verb verb, const char *id,
                   struct decision *out)
{
    struct error error;
    enum status status =
        out->silent < SILENT_MAX
            ? actions_decide(request->context->actions, request->settings, verb, id,
                             &error)
            : error_set(&error, STATUS_UNAVAILABLE,
                        "%s: not tried, since nobody answered before", id);
    out->silent = status == STATUS_UNAVAILABLE ? out->silent + 1 : 0;
    bool ok = status == STATUS_OK;
    json_t *result = json_pack("{s:o, s:b}", "id", output_string(id), "ok", ok);
    if (!ok)
        (void)json_object_set_new(result, "error", output_string(error.text));
    if (!ok && json_array_size(out->failed) == 0)
        (void)snprintf(out->reason, sizeof out->reason, "%.*s",
                       (int)sizeof out->reason - 1, error.text);
    (void)json_array_append_new(ok ? out->done : out->failed, output_string(id));
    (void)json_array_append_new(out->results, result);
}

static void format_result(const struct decision *decision, char out[RESULT_SIZE])
{
    size_t done = json_array_size(decision->done);
    size_t failed = json_array_size(decision->failed);
    if (failed == 0)
        (void)snprintf(out, RESULT_SIZE, "ok, %zu done", done);
    else
        (void)snprintf(out, RESULT_SIZE, "%zu done, %zu failed: %s", done, failed,
                       decision->reason);
}

void decision_make(struct request *request, enum actions_verb verb, const char *target,
                   const json_t *ids)
{
    size_t i;
    const json_t *id;
    char result[RESULT_SIZE];
    struct decision decision = {
        .results = json_array(), .done = json_array(), .failed = json_array()};
    if (decision.results == NULL || decision.done == NULL || decision.failed == NULL) {
        request_answer(request, NULL);
        request_audit(request, actions_verb_name(verb), target, request_result(request));
    } else if (request_begin(request, actions_verb_name(verb), target, ids)) {
        json_array_foreach(ids, i, id)
            decide(request, verb, json_string_value(id), &decision);
        format_result(&decision, result);
        request_answer(request,
                       json_pack("{s:O, s:I, s:I}", "results", decision.results, "done",
                                 (json_int_t)json_array_size(decision.done), "failed",
                                 (json_int_t)json_array_size(decision.failed)));
        request_end_many(request, result, decision.done, decision.failed);
    }
    json_decref(decision.results);
    json_decref(decision.done);
    json_decref(decision.failed);
}
