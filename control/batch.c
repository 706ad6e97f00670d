/* One action, however many messages: one audit entry with the result of each. */
#include "control/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/json_output.h"

enum { RESULT_SIZE = 500, BATCH_MS = 30 * 60 * 1000 };

struct batch {
    json_t *results, *done, *failed;
    size_t untold;
    char reason[300]; /* of the first failure */
};

int64_t batch_deadline_us(void)
{
    return clock_deadline_us(BATCH_MS);
}

static void enter(struct batch *out, const char *id, const struct actions_result *result)
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
static bool decide(struct request *request, const json_t *ids, struct batch *out)
{
    size_t count = json_array_size(ids);
    const struct actions_progress progress = request_progress(request);
    int64_t deadline_us = batch_deadline_us();
    const char **list = calloc(count + 1, sizeof *list);
    struct actions_result *results = calloc(count + 1, sizeof *results);
    bool enough = list != NULL && results != NULL;
    for (size_t i = 0; i < count && enough; i++)
        list[i] = json_string_value(json_array_get(ids, i));
    if (enough && count > 0)
        actions_decide_many(request->context->actions, request->settings, request->verb,
                            list, count, deadline_us, &progress, results);
    for (size_t i = 0; i < count && enough; i++)
        enter(out, list[i], &results[i]);
    if (enough && clock_left_ms(deadline_us) == 0)
        log_throttled(SEVERITY_WARNING,
                      "%s: %zu of %zu held messages were done in %d minutes; the same "
                      "order again goes on with the rest",
                      actions_verb_name(request->verb), json_array_size(out->done), count,
                      BATCH_MS / 60000);
    free(results);
    free(list);
    return enough;
}

static void format_result(const struct batch *batch, char out[RESULT_SIZE])
{
    char untold[80] = "";
    size_t done = json_array_size(batch->done);
    size_t failed = json_array_size(batch->failed);
    if (batch->untold > 0)
        (void)snprintf(untold, sizeof untold, ", of %zu the sender could not be told",
                       batch->untold);
    if (failed == 0)
        (void)snprintf(out, RESULT_SIZE, "ok, %zu done%s", done, untold);
    else
        (void)snprintf(out, RESULT_SIZE, "%zu done%s, %zu failed: %s", done, untold,
                       failed, batch->reason);
}

void batch_decide(struct request *request, const char *target, const json_t *ids)
{
    char result[RESULT_SIZE];
    struct batch batch = {
        .results = json_array(), .done = json_array(), .failed = json_array()};
    if (batch.results == NULL || batch.done == NULL || batch.failed == NULL) {
        request_answer(request, NULL);
        request_audit(request, actions_verb_name(request->verb), target,
                      request_result(request));
    } else if (request_begin(request, actions_verb_name(request->verb), target, ids)) {
        bool enough = decide(request, ids, &batch);
        format_result(&batch, result);
        request_answer(request,
                       enough ? json_pack("{s:O, s:I, s:I}", "results", batch.results,
                                          "done", (json_int_t)json_array_size(batch.done),
                                          "failed",
                                          (json_int_t)json_array_size(batch.failed))
                              : NULL);
        request_end_many(request, enough ? result : "out of memory", batch.done,
                         batch.failed);
    }
    json_decref(batch.results);
    json_decref(batch.done);
    json_decref(batch.failed);
}
