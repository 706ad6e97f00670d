/* A request without a connection: who asked, what for and where is in the order, which
 * only a relay with our key can write; it has checked the person's roles. */
#include "control/obey.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api.h"
#include "control/batch.h"
#include "control/release.h"
#include "quarantine/record.h"
#include "store/orders.h"

enum { ANSWER_ROOM = 1024 }; /* around what an order answers */

static void decide(struct request *request)
{
    json_t *ids = json_incref(json_object_get(request->body, "ids"));
    batch_decide(request, request->id, ids);
    json_decref(ids);
}

/* Whom the messages would reach. Nothing is done yet, so nothing is written down. */
static void review(struct request *request)
{
    struct error error = {0};
    struct audience_review found = {0};
    const json_t *ids = json_object_get(request->body, "ids");
    size_t count = json_array_size(ids);
    const char **list = calloc(count + 1, sizeof *list);
    struct snapshot *snapshot = release_snapshot(request);
    for (size_t i = 0; i < count && list != NULL; i++)
        list[i] = json_string_value(json_array_get(ids, i));
    enum status status = list == NULL
                             ? STATUS_NOMEM
                             : actions_review(request->context->actions, snapshot, list,
                                              count, &found, &error);
    if (status == STATUS_OK)
        request_answer(request,
                       audience_review_write(&found, ledger_key(request->context->ledger),
                                             ORDERS_TEXT_MAX - ANSWER_ROOM));
    else
        request_fail_status(request, status, &error, "review");
    audience_review_clear(&found);
    snapshot_unref(snapshot);
    free(list);
}

static const struct {
    const char *what;
    void (*run)(struct request *request);
    enum actions_verb verb;
} orders[] = {
    {"release", decide, ACTIONS_RELEASE}, {"refuse", decide, ACTIONS_REFUSE},
    {"delete", decide, ACTIONS_DELETE},   {"review", review, ACTIONS_RELEASE},
    {"show", api_holds_show, 0},          {"pull back", api_brakes_pull_back, 0},
};

/* ids, if there are any, are those of held messages. */
static bool is_sound(const json_t *body)
{
    size_t i;
    const json_t *id;
    const json_t *ids = json_object_get(body, "ids");
    bool sound = json_is_object(body);
    json_array_foreach(ids, i, id) sound =
        sound && json_is_string(id) && request_is_id(json_string_value(id));
    return sound;
}

static void run(struct request *request, const json_t *order)
{
    const char *what = record_text(order, "do");
    request->body = json_incref(json_object_get(order, "body"));
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (strcmp(orders[i].what, what) != 0 || !is_sound(request->body))
            continue;
        request->verb = orders[i].verb;
        orders[i].run(request);
        return;
    }
    request_fail(request, MHD_HTTP_BAD_REQUEST,
                 "%s does not know this order: is it of another version?",
                 request->context->host);
}

/* NULL without memory, or when it is too long. */
static char *write_answer(const struct request *request)
{
    unsigned code = request->code == 0 ? MHD_HTTP_OK : request->code;
    json_t *answer = json_pack("{s:i, s:O?}", "code", (int)code, "answer", request->json);
    char *text =
        answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(answer);
    if (text == NULL || strlen(text) <= ORDERS_TEXT_MAX)
        return text;
    free(text);
    return strdup("{\"code\":500,\"answer\":{\"error\":\"the answer is too long for the "
                  "store: decide about fewer messages at once\"}}");
}

char *obey_order(const struct control_context *context, const char *text)
{
    struct request request = {.context = context};
    json_t *order = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    request.snapshot = current_snapshot_get(context->snapshots);
    request.settings = request.snapshot->settings;
    request.relay = record_text(order, "from");
    request.via = record_text(order, "via")[0] == '\0' ? NULL : record_text(order, "via");
    request.peer.uid = (uid_t)record_number(order, "uid");
    (void)snprintf(request.peer.name, sizeof request.peer.name, "%s",
                   record_text(order, "user"));
    (void)snprintf(request.purpose, sizeof request.purpose, "%s",
                   record_text(order, "purpose"));
    (void)snprintf(request.id, sizeof request.id, "%s", record_text(order, "target"));
    run(&request, order);
    char *answer = write_answer(&request);
    json_decref(request.json);
    json_decref(request.body);
    free(request.act.target);
    text_clear(&request.text);
    snapshot_unref(request.snapshot);
    json_decref(order);
    return answer;
}
