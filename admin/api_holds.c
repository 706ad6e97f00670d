/* /v1/holds: what is held, and what becomes of it. */
#include <microhttpd.h>
#include <string.h>

#include "admin/api.h"
#include "admin/decision.h"
#include "admin/output.h"
#include "admin/shape.h"
#include "admin/stream.h"
#include "quarantine/record.h"

void api_holds_list(struct request *request)
{
    struct ledger_list *holds = NULL;
    const char *incident = request_query(request, "incident");
    const char *all = request_query(request, "all");
    bool ended = all != NULL && strcmp(all, "0") != 0;
    enum status status =
        ledger_list_holds(request->context->ledger, ended, request_deadline_us(), &holds);
    if (status != STATUS_OK) {
        request_fail_status(request, status, NULL, "holds");
        return;
    }
    const struct stream_view view = {
        .name = "holds", .shape = shape_hold, .incident = incident};
    request_stream(request, stream_new(holds, &view));
    request_audit(request, "list", incident == NULL ? "" : incident,
                  request_result(request));
}

void api_holds_show(struct request *request)
{
    const struct control_context *context = request->context;
    json_t *hold = NULL;
    json_t *shown = NULL;
    struct text words = {0};
    bool possible = false;
    enum status status =
        ledger_find_hold(context->ledger, request->id, request_deadline_us(), &hold);
    if (status == STATUS_OK)
        status =
            actions_foresee(context->actions, request->settings, hold, &possible, &words);
    if (status == STATUS_OK)
        shown = shape_hold(hold);
    if (status == STATUS_OK &&
        json_object_set_new(shown, "release",
                            json_pack("{s:b, s:o}", "possible", possible, "text",
                                      output_string(text_string(&words)))) != 0)
        status = STATUS_NOMEM;
    text_clear(&words);
    if (status == STATUS_NOT_FOUND)
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no held message %s",
                     request->id);
    else if (status != STATUS_OK)
        request_fail_status(request, status, NULL, request->id);
    else
        request_answer(request, json_incref(shown));
    json_decref(shown);
    json_decref(hold);
    request_audit(request, "show", request->id, request_result(request));
}

static void decide(struct request *request, enum actions_verb verb)
{
    struct error error;
    json_t *hold = NULL;
    const struct control_context *context = request->context;
    if (!request_begin(request, actions_verb_name(verb), request->id, NULL))
        return;
    enum status status =
        actions_decide(context->actions, request->settings, verb, request->id, &error);
    if (status != STATUS_OK)
        request_fail_status(request, status, &error, request->id);
    else if (ledger_find_hold(context->ledger, request->id, request_deadline_us(),
                              &hold) == STATUS_OK)
        request_answer(request, shape_hold(hold));
    else
        request_answer(request, json_pack("{s:s}", "id", request->id));
    json_decref(hold);
    request_end(request, request_result(request));
}

void api_holds_release(struct request *request)
{
    decide(request, ACTIONS_RELEASE);
}

void api_holds_refuse(struct request *request)
{
    decide(request, ACTIONS_REFUSE);
}

void api_holds_delete(struct request *request)
{
    decide(request, ACTIONS_DELETE);
}

/* Ids as the ledger makes them, or else nothing is done at all. */
static bool are_ids(const json_t *ids)
{
    size_t i;
    const json_t *id;
    bool valid = json_is_array(ids) && json_array_size(ids) > 0 &&
                 json_array_size(ids) <= DECISION_MAX;
    json_array_foreach(ids, i, id) valid =
        valid && json_is_string(id) && request_is_id(json_string_value(id));
    return valid;
}

static void decide_many(struct request *request, enum actions_verb verb)
{
    const json_t *ids = json_object_get(request->body, "ids");
    if (are_ids(ids)) {
        decision_make(request, verb, "", ids);
        return;
    }
    request_fail(request, MHD_HTTP_BAD_REQUEST,
                 "\"ids\" is an array of 1 to %d ids of held messages", DECISION_MAX);
    request_audit(request, actions_verb_name(verb), "", request_result(request));
}

void api_holds_release_many(struct request *request)
{
    decide_many(request, ACTIONS_RELEASE);
}

void api_holds_refuse_many(struct request *request)
{
    decide_many(request, ACTIONS_REFUSE);
}

void api_holds_delete_many(struct request *request)
{
    decide_many(request, ACTIONS_DELETE);
}

void api_holds_sync(struct request *request)
{
    struct error error;
    struct actions_sync sync;
    if (!request_begin(request, "sync", "", NULL))
        return;
    enum status status =
        actions_sync(request->context->actions, request->settings, &sync, &error);
    if (status != STATUS_OK)
        request_fail_status(request, status, &error, "sync");
    else
        request_answer(
            request, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "in_queue",
                               (json_int_t)sync.in_queue, "known", (json_int_t)sync.known,
                               "restored", (json_int_t)sync.restored, "foreign",
                               (json_int_t)sync.foreign, "failed",
                               (json_int_t)sync.failed, "ended", (json_int_t)sync.ended,
                               "spared", (json_int_t)sync.spared));
    request_end(request, request_result(request));
}
