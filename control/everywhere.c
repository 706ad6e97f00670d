/* The messages are shared out by the relay that holds them. All orders are sent first, so
 * that relays work at the same time. Before messages of several relays are released, each
 * says whom its own would reach: together they are what was reviewed, or nothing goes. */
#include "control/everywhere.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/batch.h"
#include "quarantine/record.h"

enum { SHARES_MAX = 100, SEND_MS = 5000, RELAYS_MS = 5000 };

/* A relay that has not announced itself for that long is no relay any more. */
static const int64_t RELAYS_FRESH_MS = INT64_C(24) * 3600 * 1000;

/* Of one relay. */
struct share {
    char host[ORDERS_HOST_SIZE]; /* "": this one */
    const char **ids;
    size_t *places; /* of each, in the whole */
    size_t count;
    struct audience_review review;
    int64_t reach; /* for its own messages */
    struct sent_order sent;
    enum status status; /* of the order */
    struct error error;
};

struct decision {
    struct request *request;
    const struct release_args *args;
    const char *const *ids;
    size_t count;
    struct actions_result *results;
    struct share *shares;
    size_t share_count;
    int64_t together;
};

/* ---- orders ---- */

/* The text of an order; takes body over. For free(3); NULL without memory. */
static char *write_order(const struct request *request, const char *what,
                         const char *target, json_t *body)
{
    json_t *order =
        json_pack("{s:s, s:s, s:I, s:o, s:s, s:o, s:s, s:o}", "do", what, "from",
                  request->context->host, "uid", (json_int_t)request->peer.uid, "user",
                  record_string(request->peer.name), "via",
                  request->via == NULL ? "" : request->via, "purpose",
                  record_string(request->purpose), "target", target, "body", body);
    char *text =
        order == NULL ? NULL : json_dumps(order, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(order);
    return text;
}

static enum status send(const struct request *request, const char *host, const char *what,
                        const char *target, json_t *body, struct sent_order *out,
                        struct error *error)
{
    char *text = write_order(request, what, target, body);
    enum status status =
        text == NULL ? error_set(error, STATUS_NOMEM, "out of memory")
                     : orders_send(request->context->orders, host, text, clock_wall_ms(),
                                   clock_deadline_us(SEND_MS), out, error);
    free(text);
    return status;
}

static enum status status_of_code(json_int_t code)
{
    return code == 200   ? STATUS_OK
           : code == 400 ? STATUS_INVALID
           : code == 404 ? STATUS_NOT_FOUND
           : code == 409 ? STATUS_CONFLICT
           : code == 503 ? STATUS_UNAVAILABLE
                         : STATUS_IO;
}

/* OK with what the relay answers, for json_decref. */
static enum status await(const struct request *request, const struct sent_order *sent,
                         json_t **out, struct error *error)
{
    char *text = NULL;
    enum status status = orders_await(request->context->orders, sent, &text, error);
    if (status != STATUS_OK) /* a conflict is one about a message */
        return status == STATUS_NOMEM ? status : STATUS_UNAVAILABLE;
    json_t *json = json_loads(text, 0, NULL);
    json_t *answer = json_object_get(json, "answer");
    status = status_of_code(json_integer_value(json_object_get(json, "code")));
    free(text);
    if (!json_is_object(answer))
        status = error_set(error, STATUS_IO, "%s: its answer is damaged", sent->host);
    else if (status != STATUS_OK)
        (void)error_set(error, status, "%s", record_text(answer, "error"));
    else
        *out = json_incref(answer);
    json_decref(json);
    return status;
}

/* ---- shares ---- */

static struct share *find_share(struct decision *decision, const char *host)
{
    for (size_t i = 0; i < decision->share_count; i++)
        if (strcmp(decision->shares[i].host, host) == 0)
            return &decision->shares[i];
    if (decision->share_count == SHARES_MAX)
        return NULL;
    struct share *share = &decision->shares[decision->share_count];
    share->ids = calloc(decision->count, sizeof *share->ids);
    share->places = calloc(decision->count, sizeof *share->places);
    if (share->ids == NULL || share->places == NULL) {
        free(share->ids);
        free(share->places);
        return NULL;
    }
    (void)snprintf(share->host, sizeof share->host, "%s", host);
    share->reach = -1;
    decision->share_count++;
    return share;
}

bool everywhere_is_elsewhere(const struct request *request, const json_t *hold)
{
    const char *host = record_text(hold, "host");
    return request->context->orders != NULL && request->relay == NULL &&
           host[0] != '\0' && strlen(host) < ORDERS_HOST_SIZE &&
           strcmp(host, request->context->host) != 0 &&
           !record_is_over(record_text(hold, "state"));
}

/* What can't be found is this relay's, which says so. */
static enum status share_out(struct decision *decision, struct error *error)
{
    const struct control_context *context = decision->request->context;
    bool enough = true;
    json_t **holds = calloc(decision->count, sizeof *holds);
    enum status status =
        holds == NULL ? error_set(error, STATUS_NOMEM, "out of memory") : STATUS_OK;
    if (status == STATUS_OK && context->orders != NULL &&
        decision->request->relay == NULL &&
        ledger_find_holds(context->ledger, decision->ids, decision->count,
                          request_list_deadline_us(), holds) != STATUS_OK)
        memset(holds, 0, decision->count * sizeof *holds);
    for (size_t i = 0; i < decision->count && status == STATUS_OK; i++) {
        bool elsewhere = everywhere_is_elsewhere(decision->request, holds[i]);
        struct share *share =
            find_share(decision, elsewhere ? record_text(holds[i], "host") : "");
        enough = enough && share != NULL;
        if (share == NULL)
            continue;
        share->ids[share->count] = decision->ids[i];
        share->places[share->count++] = i;
    }
    for (size_t i = 0; i < decision->count && holds != NULL; i++)
        json_decref(holds[i]);
    free(holds);
    return status == STATUS_OK && !enough
               ? error_set(error, STATUS_NOMEM, "out of memory")
               : status;
}

static void clear_shares(struct decision *decision)
{
    for (size_t i = 0; i < decision->share_count; i++) {
        struct share *share = &decision->shares[i];
        audience_review_clear(&share->review);
        free(share->ids);
        free(share->places);
    }
    free(decision->shares);
}

static json_t *list_ids(const struct share *share)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < share->count; i++)
        (void)json_array_append_new(ids, json_string(share->ids[i]));
    return ids;
}

static void send_share(const struct decision *decision, struct share *share,
                       const char *what, json_t *body)
{
    struct request *request = decision->request;
    (void)json_object_set_new(body, "ids", list_ids(share));
    share->status =
        send(request, share->host, what, request->id, body, &share->sent, &share->error);
}

/* ---- before messages of several relays are released ---- */

static bool read_persons(const json_t *answer, const char *name, struct audience *out)
{
    const char *hex = json_string_value(json_object_get(answer, name));
    size_t length = hex == NULL ? 0 : strlen(hex);
    out->persons = calloc(length / 16 + 1, sizeof *out->persons);
    if (hex == NULL || length % 16 != 0 || out->persons == NULL)
        return false;
    for (size_t i = 0; i < length; i += 16)
        /* NOLINTNEXTLINE(cert-err34-c): sixteen digits */
        if (sscanf(hex + i, "%16" SCNx64, &out->persons[out->count]) == 1)
            out->count++;
    return audience_settle(out) == STATUS_OK;
}

static void read_review(struct share *share, const json_t *answer)
{
    struct audience_review *review = &share->review;
    review->changed = json_is_true(json_object_get(answer, "changed"));
    review->told = json_is_true(json_object_get(answer, "told"));
    if (!read_persons(answer, "now", &review->now) ||
        !read_persons(answer, review->changed ? "then" : "now", &review->then))
        share->status =
            error_set(&share->error, STATUS_NOMEM, "out of memory for whom it reaches");
}

static void review_here(const struct decision *decision, struct share *share)
{
    struct request *request = decision->request;
    struct snapshot *snapshot = release_snapshot(request);
    share->status = actions_review(request->context->actions, snapshot, share->ids,
                                   share->count, &share->review, &share->error);
    snapshot_unref(snapshot);
}

static enum status add_up(const struct decision *decision, struct audience_review *all)
{
    *all = (struct audience_review){.told = true};
    for (size_t i = 0; i < decision->share_count; i++) {
        struct share *share = &decision->shares[i];
        if (share->status != STATUS_OK)
            continue;
        share->reach = (int64_t)share->review.now.count;
        all->changed = all->changed || share->review.changed;
        all->told = all->told && share->review.told;
        audience_add_all(&all->now, &share->review.now);
        audience_add_all(&all->then, &share->review.then);
    }
    enum status status = audience_settle(&all->now);
    return status == STATUS_OK ? audience_settle(&all->then) : status;
}

/* Whom all of them reach, for audience_review_clear; a relay that is away has no part in
 * it. */
static enum status ask_all(struct decision *decision, struct audience_review *all,
                           struct error *error)
{
    for (size_t i = 0; i < decision->share_count; i++)
        if (decision->shares[i].host[0] != '\0')
            send_share(decision, &decision->shares[i], "review", json_object());
    for (size_t i = 0; i < decision->share_count; i++) {
        struct share *share = &decision->shares[i];
        json_t *answer = NULL;
        if (share->host[0] == '\0') {
            review_here(decision, share);
        } else if (share->status == STATUS_OK) {
            share->status =
                await(decision->request, &share->sent, &answer, &share->error);
            if (share->status == STATUS_OK)
                read_review(share, answer);
            json_decref(answer);
        }
    }
    enum status status = add_up(decision, all);
    return status == STATUS_OK ? status : error_set(error, status, "out of memory");
}

static enum status review(struct decision *decision, struct error *error)
{
    struct audience_review all;
    enum status status = ask_all(decision, &all, error);
    const struct audience_change change = audience_review_count(&all);
    if (status == STATUS_OK)
        status = audience_change_check(&change, decision->args->reach, error);
    decision->together = (int64_t)change.reach;
    audience_review_clear(&all);
    return status;
}

/* This relay's own failure is one of the whole. */
static enum status find_away(const struct decision *decision, char out[ORDERS_HOST_SIZE],
                             struct error *error)
{
    out[0] = '\0';
    for (size_t i = 0; i < decision->share_count; i++) {
        const struct share *share = &decision->shares[i];
        if (share->status != STATUS_OK && share->host[0] == '\0') {
            *error = share->error;
            return share->status;
        }
        if (share->status != STATUS_OK)
            (void)snprintf(out, ORDERS_HOST_SIZE, "%s", share->host);
    }
    return STATUS_OK;
}

enum status everywhere_review(struct request *request, const char *const *ids,
                              size_t count, struct audience_change *out,
                              char out_away[ORDERS_HOST_SIZE], struct error *error)
{
    struct decision decision = {.request = request, .ids = ids, .count = count};
    struct audience_review all = {0};
    decision.shares = calloc(SHARES_MAX, sizeof *decision.shares);
    enum status status = decision.shares == NULL
                             ? error_set(error, STATUS_NOMEM, "out of memory")
                             : share_out(&decision, error);
    if (status == STATUS_OK)
        status = ask_all(&decision, &all, error);
    if (status == STATUS_OK)
        status = find_away(&decision, out_away, error);
    if (status == STATUS_OK)
        *out = audience_review_count(&all);
    audience_review_clear(&all);
    clear_shares(&decision);
    return status;
}

/* ---- the decision ---- */

static json_t *make_body(const struct decision *decision, const struct share *share)
{
    json_t *body = json_object();
    if (decision->request->verb != ACTIONS_RELEASE)
        return body;
    if (share->reach >= 0)
        (void)json_object_set_new(body, "reach", json_integer(share->reach));
    (void)json_object_set_new(body, "together", json_integer(decision->together));
    (void)json_object_set_new(body, "later", json_boolean(decision->args->later));
    return body;
}

/* As long as it fails as a whole, so does each of its messages. */
static void fail_share(const struct decision *decision, const struct share *share)
{
    for (size_t i = 0; i < share->count; i++) {
        struct actions_result *result = &decision->results[share->places[i]];
        *result = (struct actions_result){.status = share->status};
        (void)error_set(&result->error, share->status, "%s: %.400s", share->ids[i],
                        share->error.text);
    }
}

/* One result, as obey.c makes it. */
static void take_result(const json_t *entry, const char *id, struct actions_result *out)
{
    const json_t *approved_by = json_object_get(entry, "approved_by");
    const char *name = json_string_value(json_array_get(approved_by, 0));
    *out =
        (struct actions_result){.untold = json_is_true(json_object_get(entry, "untold"))};
    (void)snprintf(out->approved_by, sizeof out->approved_by, "%s",
                   name == NULL ? "" : name);
    if (json_is_true(json_object_get(entry, "ok")))
        return;
    const char *why = record_text(entry, "error");
    out->status = error_set(
        &out->error, status_of_code(json_integer_value(json_object_get(entry, "code"))),
        "%s%s", why[0] == '\0' ? id : "", why[0] == '\0' ? " failed" : why);
}

static void await_share(const struct decision *decision, struct share *share)
{
    json_t *answer = NULL;
    if (share->status == STATUS_OK)
        share->status = await(decision->request, &share->sent, &answer, &share->error);
    const json_t *entries = json_object_get(answer, "results");
    if (share->status == STATUS_OK && json_array_size(entries) != share->count)
        share->status =
            error_set(&share->error, STATUS_IO, "%s: its answer is damaged", share->host);
    if (share->status != STATUS_OK)
        fail_share(decision, share);
    for (size_t i = 0; i < share->count && share->status == STATUS_OK; i++)
        take_result(json_array_get(entries, i), share->ids[i],
                    &decision->results[share->places[i]]);
    json_decref(answer);
}

static void decide_here(const struct decision *decision, struct share *share)
{
    struct request *request = decision->request;
    struct release_args args = *decision->args;
    struct actions_result *results = calloc(share->count, sizeof *results);
    const struct actions_progress progress = request_progress(request);
    if (decision->share_count > 1 && request->verb == ACTIONS_RELEASE) {
        args.reach = share->reach;
        args.together = decision->together;
    }
    share->status = STATUS_OK;
    if (results == NULL)
        share->status = error_set(&share->error, STATUS_NOMEM, "out of memory");
    else if (request->verb == ACTIONS_RELEASE)
        share->status =
            release_run(request, &args, share->ids, share->count, results, &share->error);
    else
        actions_decide_many(request->context->actions, request->settings, request->verb,
                            share->ids, share->count, batch_deadline_us(), &progress,
                            results);
    for (size_t i = 0; i < share->count && share->status == STATUS_OK; i++)
        decision->results[share->places[i]] = results[i];
    if (share->status != STATUS_OK)
        fail_share(decision, share);
    free(results);
}

static void decide_all(struct decision *decision)
{
    const char *verb = actions_verb_name(decision->request->verb);
    for (size_t i = 0; i < decision->share_count; i++) {
        struct share *share = &decision->shares[i];
        if (share->host[0] != '\0' && share->status == STATUS_OK)
            send_share(decision, share, verb, make_body(decision, share));
    }
    for (size_t i = 0; i < decision->share_count; i++) {
        struct share *share = &decision->shares[i];
        if (share->host[0] == '\0' && share->status == STATUS_OK)
            decide_here(decision, share);
        else if (share->host[0] == '\0')
            fail_share(decision, share);
    }
    for (size_t i = 0; i < decision->share_count; i++)
        if (decision->shares[i].host[0] != '\0')
            await_share(decision, &decision->shares[i]);
}

enum status everywhere_decide(struct request *request, const struct release_args *args,
                              const char *const *ids, size_t count,
                              struct actions_result *results,
                              char out_host[ORDERS_HOST_SIZE], struct error *error)
{
    struct decision decision = {.request = request,
                                .args = args,
                                .ids = ids,
                                .count = count,
                                .results = results,
                                .together = args->together};
    decision.shares = calloc(SHARES_MAX, sizeof *decision.shares);
    enum status status = decision.shares == NULL
                             ? error_set(error, STATUS_NOMEM, "out of memory")
                             : share_out(&decision, error);
    bool alone = decision.share_count == 1;
    if (status == STATUS_OK && alone)
        decision.shares[0].reach = args->reach;
    else if (status == STATUS_OK && request->verb == ACTIONS_RELEASE)
        status = review(&decision, error);
    if (status == STATUS_OK)
        decide_all(&decision);
    if (status == STATUS_OK && alone) {
        status = decision.shares[0].status; /* its error says all */
        *error = decision.shares[0].error;
        const char *host = decision.shares[0].host;
        (void)snprintf(out_host, ORDERS_HOST_SIZE, "%s",
                       host[0] == '\0' ? request->context->host : host);
    } else {
        out_host[0] = '\0';
    }
    clear_shares(&decision);
    return status;
}

/* ---- the rest ---- */

enum status everywhere_show(struct request *request, const char *host, json_t **out,
                            struct error *error)
{
    struct sent_order sent;
    enum status status =
        send(request, host, "show", request->id, json_object(), &sent, error);
    return status == STATUS_OK ? await(request, &sent, out, error) : status;
}

/* Relays that were asked. */
struct crowd {
    struct share shares[SHARES_MAX];
    size_t count;
};

static enum status add_relay(void *context, const char *host, const char *nothing)
{
    struct crowd *crowd = context;
    (void)nothing;
    if (crowd->count == SHARES_MAX)
        return STATUS_LIMIT;
    (void)snprintf(crowd->shares[crowd->count++].host, ORDERS_HOST_SIZE, "%s", host);
    return STATUS_OK;
}

static json_t *await_relay(struct request *request, struct share *share)
{
    json_t *answer = NULL;
    json_t *shown = json_pack("{s:s}", "host", share->host);
    if (share->status == STATUS_OK)
        share->status = await(request, &share->sent, &answer, &share->error);
    if (share->status == STATUS_OK)
        (void)json_object_update(shown, answer);
    else
        (void)json_object_set_new(shown, "error", record_string(share->error.text));
    json_decref(answer);
    return shown;
}

enum status everywhere_do(struct request *request, const char *what, const json_t *body,
                          json_t **out, struct error *error)
{
    json_t *answers = json_array();
    struct crowd *crowd = calloc(1, sizeof *crowd);
    enum status status = crowd == NULL || answers == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK && request->context->orders != NULL)
        status =
            orders_relays(request->context->orders, clock_wall_ms() - RELAYS_FRESH_MS,
                          clock_deadline_us(RELAYS_MS), add_relay, crowd);
    for (size_t i = 0; status == STATUS_OK && i < crowd->count; i++) {
        struct share *share = &crowd->shares[i];
        share->status = send(request, share->host, what, request->id,
                             json_deep_copy(body), &share->sent, &share->error);
    }
    for (size_t i = 0; status == STATUS_OK && i < crowd->count; i++)
        (void)json_array_append_new(answers, await_relay(request, &crowd->shares[i]));
    free(crowd);
    if (status == STATUS_OK) {
        *out = answers;
        return status;
    }
    json_decref(answers);
    return error_set(error, status, "the other relays can't be asked: %s",
                     status == STATUS_UNAVAILABLE ? "the store does not answer"
                     : status == STATUS_NOMEM     ? "out of memory"
                                                  : "there are too many");
}

static enum status enter_relay(void *relays, const char *host, const char *nothing)
{
    (void)nothing;
    return json_object_set_new(relays, host, json_false()) == 0 ? STATUS_OK
                                                                : STATUS_NOMEM;
}

static enum status mark_relay(void *relays, const char *host, const char *nothing)
{
    (void)nothing;
    return json_object_set_new(relays, host, json_true()) == 0 ? STATUS_OK : STATUS_NOMEM;
}

json_t *everywhere_relays(const struct request *request)
{
    const char *host;
    json_t *answers;
    struct orders *orders = request->context->orders;
    int64_t now_ms = clock_wall_ms();
    int64_t deadline_us = request_deadline_us();
    json_t *relays = json_object();
    json_t *array = json_array();
    bool known =
        orders == NULL || (orders_relays(orders, now_ms - RELAYS_FRESH_MS, deadline_us,
                                         enter_relay, relays) == STATUS_OK &&
                           orders_relays(orders, now_ms - ORDERS_LIFE_MS, deadline_us,
                                         mark_relay, relays) == STATUS_OK);
    (void)json_object_set_new(relays, request->context->host, json_true());
    json_object_foreach(relays, host, answers)(void) json_array_append_new(
        array, json_pack("{s:o, s:O}", "host", record_string(host), "answers", answers));
    json_decref(relays);
    if (known)
        return array;
    json_decref(array);
    return json_null();
}
