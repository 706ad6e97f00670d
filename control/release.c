/* The snapshot of a request may be older than the list that an administrator changed just
 * now, so a release takes a new one. */
#include "control/release.h"

#include <microhttpd.h>
#include <stdio.h>

#include "base/clock.h"
#include "control/batch.h"
#include "engine/json_output.h"
#include "quarantine/record.h"

enum { REACH_MAX = 1000000000 };

/* Who asks. */
static void format_name(const struct request *request, char out[ACTIONS_NAME_SIZE])
{
    if (request->peer.name[0] != '\0')
        (void)snprintf(out, ACTIONS_NAME_SIZE, "%s", request->peer.name);
    else
        (void)snprintf(out, ACTIONS_NAME_SIZE, "uid %u", request->peer.uid);
}

/* False, after making the answer. */
static bool read_pace(struct request *request, struct pace_rate *out)
{
    const json_t *pace = json_object_get(request->body, "pace");
    *out = (struct pace_rate){0};
    if (pace == NULL)
        return true;
    const char *text = json_string_value(pace);
    if (text != NULL && pace_parse(text, out))
        return true;
    request_fail(
        request, MHD_HTTP_BAD_REQUEST,
        "\"pace\" is a number of messages in a second, minute, hour or day, as in "
        "\"60/m\"");
    return false;
}

bool release_read(struct request *request, struct release_args *out,
                  struct pace_rate *out_rate)
{
    const json_t *reach = json_object_get(request->body, "reach");
    json_int_t number = json_integer_value(reach);
    *out = (struct release_args){.reach = -1};
    if (!read_pace(request, out_rate))
        return false;
    out->later = out_rate->count > 0;
    if (request->relay != NULL) {
        out->later = json_is_true(json_object_get(request->body, "later"));
        out->together = record_number(request->body, "together");
        out->decision = request_string(request, "decision");
    }
    if (reach == NULL)
        return true;
    if (json_is_integer(reach) && number >= 0 && number <= REACH_MAX) {
        out->reach = number;
        return true;
    }
    request_fail(request, MHD_HTTP_BAD_REQUEST, "\"reach\" is a number of people");
    return false;
}

struct snapshot *release_snapshot(struct request *request)
{
    const struct control_context *context = request->context;
    if (context->refresh != NULL)
        context->refresh(context->reload_context);
    return current_snapshot_get(context->snapshots);
}

enum status release_run(struct request *request, const struct release_args *args,
                        const char *const *ids, size_t count,
                        struct actions_result *results, struct error *error)
{
    const struct actions_progress progress = request_progress(request);
    char by[ACTIONS_NAME_SIZE];
    struct release_args all = *args;
    format_name(request, by);
    all.by = by;
    all.deadline_us = batch_deadline_us();
    all.progress = &progress;
    struct snapshot *snapshot = release_snapshot(request);
    enum status status = actions_release(request->context->actions, snapshot, &all, ids,
                                         count, results, error);
    snapshot_unref(snapshot);
    return status;
}

bool release_slowly(struct request *request, const struct pace_rate *rate,
                    const char *host, size_t messages, json_t **out)
{
    char by[ACTIONS_NAME_SIZE];
    struct store *store = request->context->store;
    json_t *pace = NULL;
    format_name(request, by);
    const struct pace_start_args args = {.incident = request->id,
                                         .host = host,
                                         .rate = *rate,
                                         .by = by,
                                         .purpose = request->purpose,
                                         .uid = request->peer.uid,
                                         .messages = messages,
                                         .now_ms = clock_wall_ms()};
    enum status status = pace_start(store, &args, request_deadline_us());
    if (status == STATUS_OK)
        status = pace_find(store, request->id, request_deadline_us(), &pace);
    if (status == STATUS_OK)
        *out = pace_show(pace);
    else
        request_fail_status(request, status, NULL, "pace");
    json_decref(pace);
    return status == STATUS_OK;
}

void release_add_approval(json_t *answer, const struct actions_result *result)
{
    if (result->approved_by[0] == '\0')
        return;
    (void)json_object_set_new(answer, "approved_by",
                              json_pack("[o]", json_output_string(result->approved_by)));
    (void)json_object_set_new(answer, "needs", json_integer(1));
}
