/* /v1/holds: what is held, and what becomes of it. */
#include <microhttpd.h>
#include <string.h>

#include "admin/api.h"
#include "admin/output.h"
#include "quarantine/record.h"

/* Keeps those of one incident. */
static json_t *of_incident(json_t *holds, const char *incident)
{
    size_t i;
    json_t *hold;
    json_t *kept = json_array();
    json_array_foreach(holds, i, hold)
    {
        if (strcmp(record_text(hold, "incident"), incident) == 0)
            (void)json_array_append(kept, hold);
    }
    json_decref(holds);
    return kept;
}

void api_holds_list(struct request *request)
{
    json_t *holds = NULL;
    const char *incident = request_query(request, "incident");
    const char *all = request_query(request, "all");
    bool ended = all != NULL && strcmp(all, "0") != 0;
    enum status status =
        ledger_holds(request->context->ledger, ended, request_deadline_us(), &holds);
    if (status != STATUS_OK) {
        request_fail_status(request, status, NULL, "holds");
        return;
    }
    if (incident != NULL)
        holds = of_incident(holds, incident);
    request_answer(request, json_pack("{s:o}", "holds", holds));
    request_audit(request, "list", incident == NULL ? "" : incident,
                  request_result(request));
}

void api_holds_show(struct request *request)
{
    const struct control_context *context = request->context;
    json_t *hold = NULL;
    struct text words = {0};
    bool possible = false;
    enum status status =
        ledger_find_hold(context->ledger, request->id, request_deadline_us(), &hold);
    if (status == STATUS_OK)
        status =
            actions_foresee(context->actions, request->settings, hold, &possible, &words);
    if (status == STATUS_OK &&
        json_object_set_new(hold, "release",
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
        request_answer(request, json_incref(hold));
    json_decref(hold);
    request_audit(request, "show", request->id, request_result(request));
}

static void decide(struct request *request, enum actions_verb verb)
{
    struct error error;
    json_t *hold = NULL;
    const struct control_context *context = request->context;
    enum status status =
        actions_decide(context->actions, request->settings, verb, request->id, &error);
    if (status != STATUS_OK)
        request_fail_status(request, status, &error, request->id);
    else if (ledger_find_hold(context->ledger, request->id, request_deadline_us(),
                              &hold) == STATUS_OK)
        request_answer(request, hold);
    else
        request_answer(request, json_pack("{s:s}", "id", request->id));
    request_audit(request, actions_verb_name(verb), request->id, request_result(request));
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

void api_holds_sync(struct request *request)
{
    struct error error;
    struct actions_sync sync;
    enum status status =
        actions_sync(request->context->actions, request->settings, &sync, &error);
    if (status != STATUS_OK)
        request_fail_status(request, status, &error, "sync");
    else
        request_answer(
            request, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "in_queue",
                               (json_int_t)sync.in_queue, "known", (json_int_t)sync.known,
                               "restored", (json_int_t)sync.restored, "foreign",
                               (json_int_t)sync.foreign, "failed",
                               (json_int_t)sync.failed, "ended", (json_int_t)sync.ended));
    request_audit(request, "sync", "", request_result(request));
}
