/* One action, however many messages: one audit entry with the result of each. */
#include "control/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/everywhere.h"
#include "control/release.h"
#include "engine/json_output.h"

enum { RESULT_SIZE = 500, BATCH_MS = 30 * 60 * 1000 };

struct batch {
    json_t *results, *done, *failed;
    size_t untold;
    json_t *pace;        /* of what is released slowly; NULL */
    json_t *approved_by; /* who did, of what waits for a second person; NULL */
    size_t waiting;
    bool of_incident;            /* its messages were chosen here */
    char host[ORDERS_HOST_SIZE]; /* that holds all of them; "": several do */
    char reason[300];            /* of the first failure */
};

int64_t batch_deadline_us(void)
{
    return clock_deadline_us(BATCH_MS);
}

static json_t *make_entry(const char *id, const struct actions_result *result,
                          bool ordered)
{
    bool ok = result->status == STATUS_OK;
    json_t *entry = json_pack("{s:o, s:b}", "id", json_output_string(id), "ok", ok);
    if (!ok)
        (void)json_object_set_new(entry, "error", json_output_string(result->error.text));
    if (!ok && ordered)
        (void)json_object_set_new(entry, "code",
                                  json_integer(request_code(result->status)));
    if (result->same && ordered)
        (void)json_object_set_new(entry, "same", json_true());
    if (ok && result->untold)
        (void)json_object_set_new(entry, "untold", json_true());
    release_add_approval(entry, result);
    return entry;
}

/* ordered: by another relay, which wants to know what kind of failure it was. */
static void enter(struct batch *out, const char *id, const struct actions_result *result,
                  bool ordered)
{
    bool ok = result->status == STATUS_OK;
    const char *why = result->error.text;
    json_t *entry = make_entry(id, result, ordered);
    if (out->of_incident && result->same) { /* somebody was faster: it is done */
        if (ordered)
            (void)json_array_append(out->results, entry);
        json_decref(entry);
        return;
    }
    if (!ok && json_array_size(out->failed) == 0)
        (void)snprintf(out->reason, sizeof out->reason, "%.*s",
                       (int)sizeof out->reason - 1, why);
    out->untold += ok && result->untold;
    if (result->approved_by[0] != '\0') {
        out->waiting++;
        json_decref(out->approved_by);
        out->approved_by = json_incref(json_object_get(entry, "approved_by"));
    }
    if (!ok || result->approved_by[0] == '\0')
        (void)json_array_append_new(ok ? out->done : out->failed, json_output_string(id));
    (void)json_array_append_new(out->results, entry);
}

/* False, after making the answer, when nothing was done. */
static bool decide(struct request *request, const struct release_args *args,
                   const json_t *ids, struct batch *out)
{
    struct error error = {0};
    size_t count = json_array_size(ids);
    int64_t deadline_us = batch_deadline_us();
    const char **list = calloc(count + 1, sizeof *list);
    struct actions_result *results = calloc(count + 1, sizeof *results);
    bool enough = list != NULL && results != NULL;
    if (!enough)
        request_answer(request, NULL);
    for (size_t i = 0; i < count && enough; i++)
        list[i] = json_string_value(json_array_get(ids, i));
    if (enough && count > 0) {
        enum status status =
            everywhere_decide(request, args, list, count, results, out->host, &error);
        if (status != STATUS_OK)
            request_fail_status(request, status, &error,
                                actions_verb_name(request->verb));
        enough = status == STATUS_OK;
    }
    for (size_t i = 0; i < count && enough; i++)
        enter(out, list[i], &results[i], request->relay != NULL);
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

/* later: nothing was released yet, since another relay has it released slowly. */
static void format_result(const struct batch *batch, bool later, char out[RESULT_SIZE])
{
    char untold[80] = "";
    const char *what = later ? "to be released slowly" : "done";
    size_t done = json_array_size(batch->done);
    size_t failed = json_array_size(batch->failed);
    if (batch->untold > 0)
        (void)snprintf(untold, sizeof untold, ", of %zu the sender could not be told",
                       batch->untold);
    if (batch->pace != NULL)
        (void)snprintf(untold, sizeof untold, ", slowly: %s",
                       json_string_value(json_object_get(batch->pace, "pace")));
    if (batch->waiting > 0)
        (void)snprintf(untold, sizeof untold, ", %zu approved: needs one more",
                       batch->waiting);
    if (failed == 0)
        (void)snprintf(out, RESULT_SIZE, "ok, %zu %s%s", done, what, untold);
    else
        (void)snprintf(out, RESULT_SIZE, "%zu %s%s, %zu failed: %s", done, what, untold,
                       failed, batch->reason);
}

static json_t *show(const struct batch *batch)
{
    json_t *answer = json_pack("{s:O, s:I, s:I}", "results", batch->results, "done",
                               (json_int_t)json_array_size(batch->done), "failed",
                               (json_int_t)json_array_size(batch->failed));
    if (batch->pace != NULL)
        (void)json_object_set(answer, "pace", batch->pace);
    if (batch->approved_by != NULL) {
        (void)json_object_set(answer, "approved_by", batch->approved_by);
        (void)json_object_set_new(answer, "needs", json_integer(1));
    }
    return answer;
}

/* What could be released was not. */
static void forget_done(struct batch *batch)
{
    (void)json_array_clear(batch->done);
    for (size_t i = json_array_size(batch->results); i-- > 0;) {
        const json_t *entry = json_array_get(batch->results, i);
        if (json_is_true(json_object_get(entry, "ok")) &&
            json_object_get(entry, "needs") == NULL)
            (void)json_array_remove(batch->results, i);
    }
}

/* Nothing was released yet, and all of it may be: it begins. False, after making the
 * answer, when that fails. */
static bool begin_slowly(struct request *request, const struct pace_rate *rate,
                         struct batch *batch)
{
    size_t count = json_array_size(batch->done);
    if (rate->count == 0 || count == 0 || batch->waiting > 0) {
        if (rate->count > 0)
            forget_done(batch);
        return true;
    }
    forget_done(batch);
    return release_slowly(request, rate, batch->host, count, &batch->pace);
}

/* An order about one message has its id as target. */
static bool is_incident(const char *target, const json_t *ids)
{
    const char *first = json_string_value(json_array_get(ids, 0));
    return target[0] != '\0' && first != NULL && strcmp(target, first) != 0;
}

void batch_decide(struct request *request, const char *target, const json_t *ids)
{
    struct release_args args;
    struct pace_rate rate;
    char result[RESULT_SIZE];
    struct batch batch = {.results = json_array(),
                          .done = json_array(),
                          .failed = json_array(),
                          .of_incident = is_incident(target, ids)};
    if (batch.results == NULL || batch.done == NULL || batch.failed == NULL) {
        request_answer(request, NULL);
        request_audit(request, actions_verb_name(request->verb), target,
                      request_result(request));
    } else if (!release_read(request, &args, &rate)) {
        request_audit(request, actions_verb_name(request->verb), target,
                      request_result(request));
    } else if (request_begin(request, actions_verb_name(request->verb), target, ids)) {
        bool done =
            decide(request, &args, ids, &batch) && begin_slowly(request, &rate, &batch);
        bool later = request->relay != NULL && args.later;
        format_result(&batch, later, result);
        if (done)
            request_answer(request, show(&batch));
        if (later)
            (void)json_array_clear(batch.done);
        request_end_many(request, done ? result : request_result(request), batch.done,
                         batch.failed);
    }
    json_decref(batch.results);
    json_decref(batch.done);
    json_decref(batch.failed);
    json_decref(batch.approved_by);
    json_decref(batch.pace);
}
