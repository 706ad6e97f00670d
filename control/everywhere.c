/* The messages are divided by the relays that hold them. All orders are sent before any
 * answer is awaited, so that the relays work at the same time. Before messages of several
 * relays are released, each relay says whom its own would reach: all of these people are
 * what was reviewed, or nothing is released. */
#include "control/everywhere.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/batch.h"
#include "control/order.h"
#include "quarantine/record.h"

enum { PORTIONS_MAX = 100 };

/* The messages of one relay. */
struct portion {
    char host[ORDERS_HOST_SIZE]; /* "": this one */
    const char **ids;
    size_t *places; /* of each, in the whole */
    size_t count;
    json_t *answer; /* its review, until it is read; NULL */
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
    struct portion *portions;
    size_t portion_count;
    /* A release by several relays; see struct release_args. */
    char id[DIGEST_ID_SIZE];
    int64_t together;
};

/* ---- portions ---- */

static struct portion *find_portion(struct decision *decision, const char *host)
{
    for (size_t i = 0; i < decision->portion_count; i++)
        if (strcmp(decision->portions[i].host, host) == 0)
            return &decision->portions[i];
    if (decision->portion_count == PORTIONS_MAX)
        return NULL;
    struct portion *portion = &decision->portions[decision->portion_count];
    portion->ids = calloc(decision->count, sizeof *portion->ids);
    portion->places = calloc(decision->count, sizeof *portion->places);
    if (portion->ids == NULL || portion->places == NULL) {
        free(portion->ids);
        free(portion->places);
        return NULL;
    }
    (void)snprintf(portion->host, sizeof portion->host, "%s", host);
    portion->reach = -1;
    decision->portion_count++;
    return portion;
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
static enum status divide(struct decision *decision, struct error *error)
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
        struct portion *portion =
            find_portion(decision, elsewhere ? record_text(holds[i], "host") : "");
        enough = enough && portion != NULL;
        if (portion == NULL)
            continue;
        portion->ids[portion->count] = decision->ids[i];
        portion->places[portion->count++] = i;
    }
    for (size_t i = 0; i < decision->count && holds != NULL; i++)
        json_decref(holds[i]);
    free(holds);
    return status == STATUS_OK && !enough
               ? error_set(error, STATUS_NOMEM, "out of memory")
               : status;
}

static void clear_portions(struct decision *decision)
{
    for (size_t i = 0; i < decision->portion_count; i++) {
        struct portion *portion = &decision->portions[i];
        audience_review_clear(&portion->review);
        json_decref(portion->answer);
        free(portion->ids);
        free(portion->places);
    }
    free(decision->portions);
}

static json_t *list_ids(const struct portion *portion)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < portion->count; i++)
        (void)json_array_append_new(ids, json_string(portion->ids[i]));
    return ids;
}

static void send_portion(const struct decision *decision, struct portion *portion,
                         const char *what, json_t *body)
{
    struct request *request = decision->request;
    (void)json_object_set_new(body, "ids", list_ids(portion));
    portion->status = order_send(request, portion->host, what, request->id, body,
                                 &portion->sent, &portion->error);
}

/* ---- before messages of several relays are released ---- */

/* With the help of what is known by now of whom other relays reach. */
static enum status read_review(const struct decision *decision, struct portion *portion)
{
    static const struct audience nobody;
    const struct digest_key *key = ledger_key(decision->request->context->ledger);
    enum status status =
        audience_review_read(portion->answer, key, &nobody, &portion->review);
    for (size_t i = 0; i < decision->portion_count && status == STATUS_NOT_FOUND; i++)
        if (decision->portions[i].review.now.count > 0)
            status =
                audience_review_read(portion->answer, key,
                                     &decision->portions[i].review.now, &portion->review);
    return status;
}

static void take_review(const struct decision *decision, struct portion *portion,
                        bool last)
{
    enum status status = read_review(decision, portion);
    if (status == STATUS_NOT_FOUND && !last)
        return;
    json_decref(portion->answer);
    portion->answer = NULL;
    if (status == STATUS_NOT_FOUND)
        portion->status = error_set(
            &portion->error, STATUS_CONFLICT,
            "%s: its messages reach too many others to be compared with those of other "
            "relays: release them by their ids",
            portion->host);
    else if (status != STATUS_OK)
        portion->status = error_set(&portion->error, status,
                                    "%s: its answer can't be read", portion->host);
}

/* Twice, since one that is read late may help another one. */
static void take_reviews(const struct decision *decision)
{
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < decision->portion_count; i++)
            if (decision->portions[i].answer != NULL)
                take_review(decision, &decision->portions[i], round == 1);
}

static void review_here(const struct decision *decision, struct portion *portion)
{
    struct request *request = decision->request;
    struct snapshot *snapshot = release_snapshot(request);
    portion->status = actions_review(request->context->actions, snapshot, portion->ids,
                                     portion->count, &portion->review, &portion->error);
    snapshot_unref(snapshot);
}

static enum status add_up(const struct decision *decision, struct audience_review *all)
{
    *all = (struct audience_review){.told = true};
    for (size_t i = 0; i < decision->portion_count; i++) {
        struct portion *portion = &decision->portions[i];
        if (portion->status != STATUS_OK)
            continue;
        portion->reach = (int64_t)portion->review.now.count;
        all->changed = all->changed || portion->review.changed;
        all->told = all->told && portion->review.told;
        audience_add_all(&all->now, &portion->review.now);
        audience_add_all(&all->then, &portion->review.then);
    }
    enum status status = audience_settle(&all->now);
    return status == STATUS_OK ? audience_settle(&all->then) : status;
}

/* Whom all of them reach, for audience_review_clear; a relay that is away has no part in
 * it. */
static enum status ask_all(struct decision *decision, struct audience_review *all,
                           struct error *error)
{
    for (size_t i = 0; i < decision->portion_count; i++)
        if (decision->portions[i].host[0] != '\0')
            send_portion(decision, &decision->portions[i], "review", json_object());
    for (size_t i = 0; i < decision->portion_count; i++) {
        struct portion *portion = &decision->portions[i];
        if (portion->host[0] == '\0')
            review_here(decision, portion);
        else if (portion->status == STATUS_OK)
            portion->status = order_await(decision->request, &portion->sent,
                                          &portion->answer, &portion->error);
    }
    take_reviews(decision);
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
    for (size_t i = 0; i < decision->portion_count; i++) {
        const struct portion *portion = &decision->portions[i];
        if (portion->status != STATUS_OK && portion->host[0] == '\0') {
            *error = portion->error;
            return portion->status;
        }
        if (portion->status != STATUS_OK)
            (void)snprintf(out, ORDERS_HOST_SIZE, "%s", portion->host);
    }
    return STATUS_OK;
}

enum status everywhere_review(struct request *request, const char *const *ids,
                              size_t count, struct audience_change *out,
                              char out_away[ORDERS_HOST_SIZE], struct error *error)
{
    struct decision decision = {.request = request, .ids = ids, .count = count};
    struct audience_review all = {0};
    decision.portions = calloc(PORTIONS_MAX, sizeof *decision.portions);
    enum status status = decision.portions == NULL
                             ? error_set(error, STATUS_NOMEM, "out of memory")
                             : divide(&decision, error);
    if (status == STATUS_OK)
        status = ask_all(&decision, &all, error);
    if (status == STATUS_OK)
        status = find_away(&decision, out_away, error);
    if (status == STATUS_OK)
        *out = audience_review_count(&all);
    audience_review_clear(&all);
    clear_portions(&decision);
    return status;
}

/* ---- the decision ---- */

static json_t *make_body(const struct decision *decision, const struct portion *portion)
{
    json_t *body = json_object();
    if (decision->request->verb != ACTIONS_RELEASE)
        return body;
    if (portion->reach >= 0)
        (void)json_object_set_new(body, "reach", json_integer(portion->reach));
    if (decision->portion_count > 1)
        (void)json_object_set_new(body, "decision", json_string(decision->id));
    (void)json_object_set_new(body, "together", json_integer(decision->together));
    (void)json_object_set_new(body, "later", json_boolean(decision->args->later));
    return body;
}

/* As long as it fails as a whole, so does each of its messages. */
static void fail_portion(const struct decision *decision, const struct portion *portion)
{
    for (size_t i = 0; i < portion->count; i++) {
        struct actions_result *result = &decision->results[portion->places[i]];
        *result = (struct actions_result){.status = portion->status};
        (void)error_set(&result->error, portion->status, "%s: %.400s", portion->ids[i],
                        portion->error.text);
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
        &out->error, order_status(json_integer_value(json_object_get(entry, "code"))),
        "%s%s", why[0] == '\0' ? id : "", why[0] == '\0' ? " failed" : why);
    out->same = json_is_true(json_object_get(entry, "same"));
    out->decided = out->same;
}

static void await_portion(const struct decision *decision, struct portion *portion)
{
    json_t *answer = NULL;
    if (portion->status == STATUS_OK)
        portion->status =
            order_await(decision->request, &portion->sent, &answer, &portion->error);
    const json_t *entries = json_object_get(answer, "results");
    if (portion->status == STATUS_OK && json_array_size(entries) != portion->count)
        portion->status = error_set(&portion->error, STATUS_IO,
                                    "%s: its answer is damaged", portion->host);
    if (portion->status != STATUS_OK)
        fail_portion(decision, portion);
    for (size_t i = 0; i < portion->count && portion->status == STATUS_OK; i++)
        take_result(json_array_get(entries, i), portion->ids[i],
                    &decision->results[portion->places[i]]);
    json_decref(answer);
}

static void decide_here(const struct decision *decision, struct portion *portion)
{
    struct request *request = decision->request;
    struct release_args args = *decision->args;
    struct actions_result *results = calloc(portion->count, sizeof *results);
    const struct actions_progress progress = request_progress(request);
    if (decision->portion_count > 1 && request->verb == ACTIONS_RELEASE) {
        args.reach = portion->reach;
        args.decision = decision->id;
        args.together = decision->together;
    }
    portion->status = STATUS_OK;
    if (results == NULL)
        portion->status = error_set(&portion->error, STATUS_NOMEM, "out of memory");
    else if (request->verb == ACTIONS_RELEASE)
        portion->status = release_run(request, &args, portion->ids, portion->count,
                                      results, &portion->error);
    else
        actions_decide_many(request->context->actions, request->settings, request->verb,
                            portion->ids, portion->count, batch_deadline_us(), &progress,
                            results);
    for (size_t i = 0; i < portion->count && portion->status == STATUS_OK; i++)
        decision->results[portion->places[i]] = results[i];
    if (portion->status != STATUS_OK)
        fail_portion(decision, portion);
    free(results);
}

static void decide_all(struct decision *decision)
{
    const char *verb = actions_verb_name(decision->request->verb);
    for (size_t i = 0; i < decision->portion_count; i++) {
        struct portion *portion = &decision->portions[i];
        if (portion->host[0] != '\0' && portion->status == STATUS_OK)
            send_portion(decision, portion, verb, make_body(decision, portion));
    }
    for (size_t i = 0; i < decision->portion_count; i++) {
        struct portion *portion = &decision->portions[i];
        if (portion->host[0] == '\0' && portion->status == STATUS_OK)
            decide_here(decision, portion);
        else if (portion->host[0] == '\0')
            fail_portion(decision, portion);
    }
    for (size_t i = 0; i < decision->portion_count; i++)
        if (decision->portions[i].host[0] != '\0')
            await_portion(decision, &decision->portions[i]);
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
    digest_random_id(decision.id);
    decision.portions = calloc(PORTIONS_MAX, sizeof *decision.portions);
    enum status status = decision.portions == NULL
                             ? error_set(error, STATUS_NOMEM, "out of memory")
                             : divide(&decision, error);
    bool alone = decision.portion_count == 1;
    if (status == STATUS_OK && alone)
        decision.portions[0].reach = args->reach;
    else if (status == STATUS_OK && request->verb == ACTIONS_RELEASE)
        status = review(&decision, error);
    if (status == STATUS_OK)
        decide_all(&decision);
    if (status == STATUS_OK && alone) {
        status = decision.portions[0].status; /* its error says all */
        *error = decision.portions[0].error;
        const char *host = decision.portions[0].host;
        (void)snprintf(out_host, ORDERS_HOST_SIZE, "%s",
                       host[0] == '\0' ? request->context->host : host);
    } else {
        out_host[0] = '\0';
    }
    clear_portions(&decision);
    return status;
}

/* ---- one message ---- */

enum status everywhere_show(struct request *request, const char *host, json_t **out,
                            struct error *error)
{
    struct sent_order sent;
    enum status status =
        order_send(request, host, "show", request->id, json_object(), &sent, error);
    return status == STATUS_OK ? order_await(request, &sent, out, error) : status;
}
