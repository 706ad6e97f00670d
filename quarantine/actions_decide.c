/* Release, refuse, delete: the record is moved first, so that only one goes on to the
 * helper, and moved again when the helper has answered. Whoever dies between the two
 * leaves "releasing" behind, which actions_sync ends. Many go to the helper together,
 * which looks at the queue and starts the MTA's programs once for all of them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"
#include "quarantine/refusal.h"

enum { CHECK_SIZE = 1100 };

static const struct {
    const char *name, *during, *after;
} verbs[] = {
    [ACTIONS_RELEASE] = {"release", "releasing", "released"},
    [ACTIONS_REFUSE] = {"refuse", "refusing", "refused"},
    [ACTIONS_DELETE] = {"delete", "deleting", "deleted"},
};

const char *actions_verb_name(enum actions_verb verb)
{
    return verbs[verb].name;
}

const char *actions_state_after(const char *during)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(during, verbs[i].during) == 0)
            return verbs[i].after;
    }
    return NULL;
}

/* ---- one hold ---- */

/* A hold that is decided about. */
struct decision {
    const char *id; /* borrowed */
    json_t *hold;   /* NULL: there was none */
    char check[CHECK_SIZE];
    struct actions_result *result;
};

/* A call's work. */
struct deciding {
    struct actions *actions;
    const struct settings *settings;
    enum actions_verb verb;
    int64_t deadline_us;
    struct decision *decisions;
    size_t count, done;
    const struct actions_progress *progress;
    bool silent; /* somebody did not answer: the rest is not tried */
    bool away;   /* the store: it is waited for once, not for each record */
};

/* A message that bears our hold header is asked for by it. What a brake pulled back got
 * no header, since it was accepted already: that is asked for by when it came. */
static void make_check(struct decision *decision)
{
    const json_t *hold = decision->hold;
    long long arrived_s = record_number(hold, "arrived_s");
    if (!actions_is_recalled(hold))
        (void)snprintf(decision->check, CHECK_SIZE, "mark=%s", decision->id);
    else if (arrived_s > 0)
        (void)snprintf(decision->check, CHECK_SIZE, "arrived=%lld", arrived_s);
    else
        (void)snprintf(decision->check, CHECK_SIZE, "sender=%s",
                       record_text(hold, "sender"));
}

/* Takes it for ourselves, or says who has. Under the lock. */
static enum status claim(const struct deciding *deciding, struct decision *decision,
                         struct error *error)
{
    struct actions *actions = deciding->actions;
    enum status status = actions_check(actions, decision->hold, error);
    if (status != STATUS_OK)
        return status;
    status = ledger_move(actions->ledger, decision->id, "held",
                         verbs[deciding->verb].during, actions_deadline_us());
    if (status == STATUS_CONFLICT) {
        json_t *fresh = NULL;
        status = actions_find(actions, decision->id, &fresh, error);
        if (status == STATUS_OK)
            status = actions_check(actions, fresh, error);
        json_decref(fresh);
        return status == STATUS_OK
                   ? error_set(error, STATUS_CONFLICT, "%s: somebody else changed it",
                               decision->id)
                   : status;
    }
    return status == STATUS_OK ? status : actions_say_store(error, status);
}

/* Without the store the sample is lost: the next run like it may be held again. */
static void train(const struct deciding *deciding, const json_t *hold)
{
    if (ledger_train(deciding->actions->ledger, &deciding->settings->policy, hold,
                     actions_deadline_us()) != STATUS_OK)
        return;
}

/* Writes down how the helper's order went. */
static enum status conclude(struct deciding *deciding, const struct decision *decision,
                            const struct helper_order *order, struct error *error)
{
    struct actions *actions = deciding->actions;
    const char *id = decision->id;
    bool own = actions_names(actions) == ACTIONS_NAMES_OWN;
    bool gone = order->status == STATUS_NOT_FOUND;
    const char *to = order->status == STATUS_OK ? verbs[deciding->verb].after
                     : gone && own              ? "gone"
                                                : "held";
    if (order->status == STATUS_OK && deciding->verb == ACTIONS_RELEASE)
        train(deciding, decision->hold);
    int64_t deadline_us = deciding->away ? clock_monotonic_us() : actions_deadline_us();
    enum status status =
        ledger_move(actions->ledger, id, verbs[deciding->verb].during, to, deadline_us);
    deciding->away = deciding->away || status == STATUS_UNAVAILABLE;
    if (gone && !own)
        return error_set(
            error, STATUS_CONFLICT,
            "%s is not in this queue; another relay may also be called %s: run it there",
            id, actions->host);
    if (gone)
        return error_set(error, order->status,
                         "%s: the message is not in the queue any more", id);
    if (order->status != STATUS_OK)
        return error_set(error, order->status, "%s: %s", id, order->error.text);
    if (status != STATUS_OK)
        return error_set(
            error, STATUS_UNAVAILABLE,
            "%s is %s, but the store did not record it: `mailbrake quarantine sync` will",
            id, verbs[deciding->verb].after);
    return STATUS_OK;
}

/* ---- a batch ---- */

static bool is_told(const struct decision *decision)
{
    return refusal_is_told(decision->hold);
}

/* Refusals that go together: nobody is told, or one sender of one incident. */
static int compare(const void *left, const void *right)
{
    const struct decision *a = left;
    const struct decision *b = right;
    int order = (a->hold == NULL) - (b->hold == NULL);
    if (order != 0 || a->hold == NULL)
        return order;
    order = is_told(a) - is_told(b);
    if (order != 0 || !is_told(a))
        return order;
    order = strcmp(record_text(a->hold, "incident"), record_text(b->hold, "incident"));
    return order != 0
               ? order
               : strcmp(record_text(a->hold, "sender"), record_text(b->hold, "sender"));
}

/* A notice is about the message that would have reached most. */
static const json_t *largest(const struct decision *first, size_t count)
{
    const json_t *found = first->hold;
    for (size_t i = 1; i < count; i++) {
        if (record_number(first[i].hold, "reach") > record_number(found, "reach"))
            found = first[i].hold;
    }
    return found;
}

/* Nobody is asked again who did not answer. */
static void fail_silent(const struct decision *decision, struct deciding *deciding)
{
    deciding->silent = deciding->silent || decision->result->status == STATUS_UNAVAILABLE;
}

/* first: count decisions, of which those are done that are OK so far. Under the lock. */
static void order_batch(struct deciding *deciding, struct decision *first, size_t count,
                        const struct refusal *refusal)
{
    struct helper_order orders[HELPER_BATCH_MAX] = {0};
    struct decision *ordered[HELPER_BATCH_MAX];
    struct error error = {0};
    size_t wanted = 0;
    for (size_t i = 0; i < count && !deciding->silent; i++) {
        struct decision *decision = &first[i];
        struct actions_result *result = decision->result;
        result->status = claim(deciding, decision, &result->error);
        fail_silent(decision, deciding);
        if (result->status != STATUS_OK)
            continue;
        make_check(decision);
        orders[wanted].queue_id = record_text(decision->hold, "queue_id");
        orders[wanted].check = decision->check;
        if (refusal != NULL)
            orders[wanted].address = text_string(&refusal->address);
        ordered[wanted++] = decision;
    }
    if (wanted == 0)
        return;
    int64_t deadline_us = actions_helper_deadline_us();
    if (helper_do(deciding->settings->mta.helper,
                  deadline_us < deciding->deadline_us ? deadline_us
                                                      : deciding->deadline_us,
                  verbs[deciding->verb].name, orders, wanted,
                  refusal == NULL ? NULL : text_string(&refusal->message),
                  &error) == STATUS_UNAVAILABLE)
        deciding->silent = true;
    for (size_t i = 0; i < wanted; i++) {
        struct actions_result *result = ordered[i]->result;
        result->untold = orders[i].untold;
        result->status = conclude(deciding, ordered[i], &orders[i], &result->error);
        fail_silent(ordered[i], deciding);
        free(orders[i].value);
    }
}

static bool is_any_done(const struct decision *first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (first[i].result->status == STATUS_OK)
            return true;
    }
    return false;
}

/* In batches, each under the lock, so that others get their turn. Once a notice went out,
 * those that follow need none. */
static void order_group(struct deciding *deciding, struct decision *first, size_t count,
                        struct refusal *refusal)
{
    bool told = false;
    for (size_t at = 0; at < count && !deciding->silent;) {
        size_t some = count - at < HELPER_BATCH_MAX ? count - at : HELPER_BATCH_MAX;
        if (clock_left_ms(deciding->deadline_us) == 0)
            break;
        (void)pthread_mutex_lock(&deciding->actions->deciding);
        order_batch(deciding, first + at, some, refusal);
        (void)pthread_mutex_unlock(&deciding->actions->deciding);
        if (refusal != NULL && !told && is_any_done(first + at, some)) {
            told = true;
            text_reset(&refusal->address);
            text_add_string(&refusal->address, "-");
            text_reset(&refusal->message);
        }
        at += some;
        deciding->done += some;
        actions_tell(deciding->progress, deciding->done, deciding->count);
    }
}

static void refuse_group(struct deciding *deciding, struct decision *first, size_t count)
{
    struct refusal refusal = {0};
    enum status status =
        refusal_make(largest(first, count), count, &deciding->actions->token_key,
                     &deciding->settings->policy.domains, clock_wall_ms(), &refusal);
    if (status == STATUS_OK)
        order_group(deciding, first, count, &refusal);
    for (size_t i = 0; i < count && status != STATUS_OK; i++)
        first[i].result->status =
            error_set(&first[i].result->error, status, "out of memory");
    refusal_clear(&refusal);
}

/* found: those that have a hold come first. */
static void refuse_all(struct deciding *deciding, size_t found)
{
    struct decision *decisions = deciding->decisions;
    for (size_t at = 0; at < found;) {
        size_t end = at + 1;
        while (end < found && compare(&decisions[at], &decisions[end]) == 0)
            end++;
        if (!deciding->silent)
            refuse_group(deciding, decisions + at, end - at);
        at = end;
    }
}

/* How many holds there are; they come first. */
static size_t find_all(struct deciding *deciding)
{
    size_t found = 0;
    for (size_t i = 0; i < deciding->count && !deciding->silent; i++) {
        struct decision *decision = &deciding->decisions[i];
        struct actions_result *result = decision->result;
        result->status = actions_find(deciding->actions, decision->id, &decision->hold,
                                      &result->error);
        fail_silent(decision, deciding);
        if (result->status != STATUS_OK)
            decision->hold = NULL;
        else /* until it is tried */
            result->status = error_set(
                &result->error, STATUS_UNAVAILABLE,
                "%s: not tried, since the store or mailbrake-mta did not answer before",
                decision->id);
        found += decision->hold != NULL;
    }
    qsort(deciding->decisions, deciding->count, sizeof *deciding->decisions, compare);
    return found;
}

void actions_decide_many(struct actions *actions, const struct settings *settings,
                         enum actions_verb verb, const char *const *ids, size_t count,
                         int64_t deadline_us, const struct actions_progress *progress,
                         struct actions_result *results)
{
    struct deciding deciding = {.actions = actions,
                                .settings = settings,
                                .verb = verb,
                                .deadline_us = deadline_us,
                                .count = count,
                                .progress = progress};
    deciding.decisions = calloc(count, sizeof *deciding.decisions);
    for (size_t i = 0; i < count; i++) {
        results[i] = (struct actions_result){0};
        results[i].status =
            deciding.decisions == NULL
                ? error_set(&results[i].error, STATUS_NOMEM, "out of memory")
                : error_set(&results[i].error, STATUS_UNAVAILABLE,
                            "%s: not tried, since the store or mailbrake-mta did not "
                            "answer before",
                            ids[i]);
        if (deciding.decisions == NULL)
            continue;
        deciding.decisions[i].id = ids[i];
        deciding.decisions[i].result = &results[i];
    }
    if (deciding.decisions == NULL)
        return;
    size_t found = find_all(&deciding);
    if (verb == ACTIONS_REFUSE)
        refuse_all(&deciding, found);
    else
        order_group(&deciding, deciding.decisions, found, NULL);
    for (size_t i = 0; i < count; i++)
        json_decref(deciding.decisions[i].hold);
    free(deciding.decisions);
}

enum status actions_decide(struct actions *actions, const struct settings *settings,
                           enum actions_verb verb, const char *id, struct error *error)
{
    struct actions_result result;
    actions_decide_many(actions, settings, verb, &id, 1,
                        clock_monotonic_us() + ACTIONS_HELPER_MS * INT64_C(2000), NULL,
                        &result);
    *error = result.error;
    return result.status;
}

/* ---- what is over ---- */

static bool is_expired(const struct actions *actions, const json_t *hold,
                       int64_t oldest_ms)
{
    int64_t held_ms = record_parse_time(record_text(hold, "held_at"));
    return held_ms >= 0 && held_ms <= oldest_ms &&
           strcmp(record_text(hold, "host"), actions->host) == 0;
}

enum { EXPIRED_AT_ONCE = 5000, ID_SIZE = DIGEST_ID_SIZE };

/* The ids of what is over, at most EXPIRED_AT_ONCE of them: the rest is for later. */
static enum status find_expired(struct actions *actions, int64_t oldest_ms,
                                char (*ids)[ID_SIZE], size_t *out_count)
{
    json_t *hold;
    size_t count = 0;
    struct ledger_list *list = NULL;
    enum status status =
        ledger_list_holds(actions->ledger, false, actions_deadline_us(), &list);
    while (status == STATUS_OK && count < EXPIRED_AT_ONCE) {
        status = ledger_list_next(list, actions_deadline_us(), &hold);
        if (status != STATUS_OK)
            break;
        if (is_expired(actions, hold, oldest_ms))
            (void)snprintf(ids[count++], ID_SIZE, "%s", record_text(hold, "id"));
        json_decref(hold);
    }
    ledger_list_free(list);
    *out_count = count;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status actions_expire(struct actions *actions, const struct settings *settings,
                           int64_t deadline_us, void (*refused)(const char *id),
                           size_t *out_left, struct error *error)
{
    size_t count = 0;
    char(*texts)[ID_SIZE] = calloc(EXPIRED_AT_ONCE, sizeof *texts);
    const char **ids = calloc(EXPIRED_AT_ONCE, sizeof *ids);
    struct actions_result *results = NULL;
    enum status status = STATUS_NOMEM;
    *out_left = 0;
    if (texts != NULL && ids != NULL)
        status = find_expired(actions, clock_wall_ms() - settings->quarantine.expire_ms,
                              texts, &count);
    for (size_t i = 0; i < count; i++)
        ids[i] = texts[i];
    if (status == STATUS_OK && count > 0)
        results = calloc(count, sizeof *results);
    if (results != NULL)
        actions_decide_many(actions, settings, ACTIONS_REFUSE, ids, count, deadline_us,
                            NULL, results);
    else if (status == STATUS_OK && count > 0)
        status = STATUS_NOMEM;
    for (size_t i = 0; results != NULL && i < count; i++) {
        if (results[i].status == STATUS_OK)
            refused(ids[i]);
        else if ((*out_left)++ == 0)
            *error = results[i].error;
    }
    free(results);
    free(ids);
    free(texts);
    return status == STATUS_OK ? status : actions_say_store(error, status);
}
