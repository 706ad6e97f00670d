/* One action, however many messages: one line in the audit, with what became of each. */
#include "control/decision.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "engine/json_output.h"

enum { RESULT_SIZE = 500, DECISION_MS = 30 * 60 * 1000 };

struct decision {
    json_t *results, *done, *failed;
    size_t untold;
    char reason[300]; /* why the first that failed did */
};

int64_t decision_deadline_us(void)
{
    return clock_monotonic_us() + DECISION_MS * INT64_C(1000);
}

static void enter(struct decision *out, const char *id,
                  const struct actions_result *result)
{
    bool ok = result->status == STATUS_OK;
    const char *why = result->error.text;
    json_t *entry = json_pack("{s:o, s:b}", "id", json_output_string(id), "ok", ok);
    if (!ok)
        (void)json_object_set_new(entry, "error", json_output_string(why));
    if (ok && result->untold)
        (void)json_object_set_new(entry, "untold", json_true());
    if (!ok && json_array_size(out->failed) == 0)
        (void)snprintf(out->reason, sizeof out->reason, "%.*s",
                       (int)sizeof out->reason - 1, why);
    out->untold += ok && result->untold;
    (void)json_array_append_new(ok ? out->done : out->failed, json_output_string(id));
    (void)json_array_append_new(out->results, entry);
}

/* False without memory. */
static bool decide(struct request *request, enum actions_verb verb, const json_t *ids,
                   struct decision *out)
{
    size_t count = json_array_size(ids);
    const struct actions_progress progress = request_progress(request);
    const char **list = calloc(count + 1, sizeof *list);
    struct actions_result *results = calloc(count + 1, sizeof *results);
    bool enough = list != NULL && results != NULL;
    for (size_t i = 0; i < count && enough; i++)
        list[i] = json_string_value(json_array_get(ids, i));
    if (enough && count > 0)
        actions_decide_many(request->context->actions, request->settings, verb, list,
                            count, decision_deadline_us(), &progress, results);
    for (size_t i = 0; i < count && enough; i++)
        enter(out, list[i], &results[i]);
    free(results);
    free(list);
    return enough;
}

static void format_result(const struct decision *decision, char out[RESULT_SIZE])
{
    char untold[80] = "";
    size_t done = json_array_size(decision->done);
    size_t failed = json_array_size(decision->failed);
    if (decision->untold > 0)
        (void)snprintf(untold, sizeof untold, ", of %zu the sender could not be told",
                       decision->untold);
    if (failed == 0)
        (void)snprintf(out, RESULT_SIZE, "ok, %zu done%s", done, untold);
    else
        (void)snprintf(out, RESULT_SIZE, "%zu done%s, %zu failed: %s", done, untold,
                       failed, decision->reason);
}

void decision_make(struct request *request, enum actions_verb verb, const char *target,
                   const json_t *ids)
{
    char result[RESULT_SIZE];
    struct decision decision = {
        .results = json_array(), .done = json_array(), .failed = json_array()};
    if (decision.results == NULL || decision.done == NULL || decision.failed == NULL) {
        request_answer(request, NULL);
        request_audit(request, actions_verb_name(verb), target, request_result(request));
    } else if (request_begin(request, actions_verb_name(verb), target, ids)) {
        bool enough = decide(request, verb, ids, &decision);
        format_result(&decision, result);
        request_answer(
            request,
            enough ? json_pack("{s:O, s:I, s:I}", "results", decision.results, "done",
                               (json_int_t)json_array_size(decision.done), "failed",
                               (json_int_t)json_array_size(decision.failed))
                   : NULL);
        request_end_many(request, enough ? result : "out of memory", decision.done,
                         decision.failed);
    }
    json_decref(decision.results);
    json_decref(decision.done);
    json_decref(decision.failed);
}
