/* /v1/holds: held messages, shown and decided about. */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue_id.h"
#include "control/api.h"
#include "control/api_view.h"
#include "control/batch.h"
#include "control/everywhere.h"
#include "control/release.h"
#include "control/stream.h"
#include "engine/json_output.h"
#include "quarantine/record.h"

void api_holds_list(struct request *request)
{
    struct ledger_list *holds = NULL;
    const char *incident = request_query(request, "incident");
    const char *all = request_query(request, "all");
    bool ended = all != NULL && strcmp(all, "0") != 0;
    enum status status = ledger_list_holds(request->context->ledger, ended, incident,
                                           request_list_deadline_us(), &holds);
    if (status != STATUS_OK) {
        request_fail_status(request, status, NULL, "holds");
        return;
    }
    const struct stream_view view = {.name = "holds", .view = api_view_hold};
    request_stream(request, stream_new(holds, &view));
    request_audit(request, "list", incident == NULL ? "" : incident,
                  request_result(request));
}

/* The command that shows root the whole message on the relay that holds it. It will be
 * pasted into a shell, so only plain words are allowed in it. */
static enum status add_command(const struct request *request, const json_t *hold,
                               json_t *shown)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789/._-";
    struct text command = {0};
    const char *queue_id = record_text(hold, "queue_id");
    const struct settings *settings = request->settings;
    const char *folder = settings->mta.config_directory;
    bool usual = strcmp(folder, "/etc/postfix") == 0;
    if (settings->mta.type != MTA_POSTFIX || !queue_id_is_postfix(queue_id) ||
        folder[strspn(folder, plain)] != '\0')
        return STATUS_OK;
    text_printf(&command, "postcat %s%s%s-q %s", usual ? "" : "-c ", usual ? "" : folder,
                usual ? "" : " ", queue_id);
    enum status status =
        command.failed ||
                json_object_set_new(shown, "command",
                                    json_output_string(text_string(&command))) != 0
            ? STATUS_NOMEM
            : STATUS_OK;
    text_clear(&command);
    return status;
}

/* The relay that holds a message knows what a release would do. *out_words begins with
 * why it does not say so. */
static bool show_elsewhere(struct request *request, const json_t *hold,
                           struct text *out_words)
{
    struct error error = {0};
    json_t *answer = NULL;
    const char *host = record_text(hold, "host");
    enum status status = everywhere_show(request, host, &answer, &error);
    if (status == STATUS_OK)
        request_answer(request, answer);
    else if (status == STATUS_UNAVAILABLE)
        text_printf(out_words, "not known: %s, which holds it, does not answer", host);
    else
        text_printf(out_words, "nothing: %s", error.text);
    return status == STATUS_OK;
}

static enum status foresee(struct request *request, const json_t *hold,
                           bool *out_possible, struct text *out)
{
    struct actions *actions = request->context->actions;
    enum status status = out->length > 0 ? STATUS_OK
                                         : actions_foresee(actions, request->settings,
                                                           hold, out_possible, out);
    if (status == STATUS_OK && *out_possible)
        status = actions_foresee_release(actions, request->snapshot, hold, out);
    return status;
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
    if (status == STATUS_OK && everywhere_is_elsewhere(request, hold) &&
        show_elsewhere(request, hold, &words)) {
        json_decref(hold);
        request_audit(request, "show", request->id, request_result(request));
        return;
    }
    if (status == STATUS_OK)
        status = foresee(request, hold, &possible, &words);
    if (status == STATUS_OK)
        shown = api_view_hold(hold);
    if (status == STATUS_OK && !everywhere_is_elsewhere(request, hold) &&
        add_command(request, hold, shown) != STATUS_OK)
        status = STATUS_NOMEM;
    if (status == STATUS_OK &&
        json_object_set_new(shown, "release",
                            json_pack("{s:b, s:o}", "possible", possible, "text",
                                      json_output_string(text_string(&words)))) != 0)
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

/* False, after making the answer, when it failed. */
static bool decide_one(struct request *request, const struct release_args *args,
                       struct actions_result *out)
{
    const char *id = request->id;
    char host[ORDERS_HOST_SIZE];
    struct error error = {0};
    *out = (struct actions_result){0};
    enum status status = everywhere_decide(request, args, &id, 1, out, host, &error);
    if (status == STATUS_OK) {
        status = out->status;
        error = out->error;
    }
    if (status != STATUS_OK)
        request_fail_status(request, status, &error, id);
    return status == STATUS_OK;
}

void api_holds_decide(struct request *request)
{
    struct release_args args;
    struct pace_rate rate;
    const char *id = request->id;
    json_t *hold = NULL;
    struct actions_result result;
    const struct control_context *context = request->context;
    bool read = release_read(request, &args, &rate);
    if (read && rate.count > 0) {
        request_fail(request, MHD_HTTP_BAD_REQUEST, "only an incident has a \"pace\"");
        read = false;
    }
    if (!read) {
        request_audit(request, actions_verb_name(request->verb), id,
                      request_result(request));
        return;
    }
    if (!request_begin(request, actions_verb_name(request->verb), id, NULL))
        return;
    if (!decide_one(request, &args, &result)) {
        request_end(request, request_result(request));
        return;
    }
    if (ledger_find_hold(context->ledger, id, request_deadline_us(), &hold) == STATUS_OK)
        request_answer(request, api_view_hold(hold));
    else
        request_answer(request, json_pack("{s:s}", "id", id));
    if (request->verb == ACTIONS_REFUSE && result.untold)
        (void)json_object_set_new(request->json, "untold", json_true());
    json_decref(hold);
    release_add_approval(request->json, &result);
    request_end(request, result.untold ? "ok, but its sender could not be told"
                         : result.approved_by[0] != '\0' ? "approved: needs one more"
                                                         : "ok");
}

/* If any id is not valid, nothing is done. */
static bool are_ids(const json_t *ids)
{
    size_t i;
    const json_t *id;
    bool valid = json_is_array(ids) && json_array_size(ids) > 0 &&
                 json_array_size(ids) <= BATCH_MAX;
    json_array_foreach(ids, i, id) valid =
        valid && json_is_string(id) && request_is_id(json_string_value(id));
    return valid;
}

static void fail_ids(struct request *request)
{
    request_fail(request, MHD_HTTP_BAD_REQUEST,
                 "\"ids\" is an array of 1 to %d ids of held messages", BATCH_MAX);
}

void api_holds_decide_many(struct request *request)
{
    const json_t *ids = json_object_get(request->body, "ids");
    if (json_object_get(request->body, "pace") != NULL) {
        request_fail(request, MHD_HTTP_BAD_REQUEST, "only an incident has a \"pace\"");
        request_audit(request, actions_verb_name(request->verb), "",
                      request_result(request));
        return;
    }
    if (are_ids(ids)) {
        batch_decide(request, "", ids);
        return;
    }
    fail_ids(request);
    request_audit(request, actions_verb_name(request->verb), "", request_result(request));
}

static json_t *show_review(const struct request *request, size_t messages,
                           const struct audience_change *change, const char *away)
{
    int64_t over = request->settings->quarantine.approve_over;
    bool two = over > 0 && (int64_t)change->reach > over;
    bool told = change->changed && change->told;
    return json_pack("{s:I, s:I, s:b, s:o, s:o, s:o, s:i}", "messages",
                     (json_int_t)messages, "reach", (json_int_t)change->reach, "changed",
                     change->changed, "more",
                     told ? json_integer((json_int_t)change->more) : json_null(), "fewer",
                     told ? json_integer((json_int_t)change->fewer) : json_null(), "away",
                     away[0] == '\0' ? json_null() : json_output_string(away),
                     "administrators", two ? 2 : 1);
}

void api_holds_review(struct request *request)
{
    char away[ORDERS_HOST_SIZE];
    struct error error = {0};
    struct audience_change change;
    const json_t *ids = json_object_get(request->body, "ids");
    if (!are_ids(ids)) {
        fail_ids(request);
        return;
    }
    size_t count = json_array_size(ids);
    const char **list = calloc(count, sizeof *list);
    for (size_t i = 0; i < count && list != NULL; i++)
        list[i] = json_string_value(json_array_get(ids, i));
    enum status status =
        list == NULL ? STATUS_NOMEM
                     : everywhere_review(request, list, count, &change, away, &error);
    if (status == STATUS_OK)
        request_answer(request, show_review(request, count, &change, away));
    else
        request_fail_status(request, status, &error, "review");
    free(list);
}

static json_t *show_sync(const struct actions_sync *sync)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I}", "in_queue",
                     (json_int_t)sync->in_queue, "known", (json_int_t)sync->known,
                     "restored", (json_int_t)sync->restored, "foreign",
                     (json_int_t)sync->foreign, "failed", (json_int_t)sync->failed,
                     "failures",
                     sync->failures == NULL ? json_array() : json_incref(sync->failures),
                     "ended", (json_int_t)sync->ended, "kept", (json_int_t)sync->kept);
}

void api_holds_sync(struct request *request)
{
    struct error error;
    struct actions_sync sync;
    struct actions_progress progress;
    if (!request_begin(request, "sync", "", NULL))
        return;
    progress = request_progress(request);
    enum status status = actions_sync(request->context->actions, request->settings,
                                      &progress, &sync, &error);
    if (status == STATUS_LIMIT) /* of its time */
        status = STATUS_UNAVAILABLE;
    if (status != STATUS_OK) {
        request_fail_status(request, status, &error, "sync");
    } else {
        request_answer(request, show_sync(&sync));
        actions_sync_clear(&sync);
    }
    request_end(request, request_result(request));
}
