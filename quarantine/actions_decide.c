/* Release, refuse, delete. A record changes its state before the order goes to the
 * helper, so that only one caller sends it, and again after the answer. A crash in
 * between leaves it "releasing", until actions_sync. The helper gets orders in batches,
 * since it looks at the queue and starts the MTA's programs once for each batch. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/record.h"
#include "quarantine/refusal.h"

enum { CHECK_SIZE = 1100 };

/* ---- one hold ---- */

/* A hold to release, refuse or delete. */
struct hold_decision {
    const char *id; /* borrowed */
    json_t *hold;   /* NULL: there was none */
    char check[CHECK_SIZE];
    struct actions_result *result;
};

/* A call's work. */
struct decision_job {
    struct actions *actions;
    const struct settings *settings;
    enum actions_verb verb;
    int64_t deadline_us;
    struct hold_decision *decisions;
    size_t count, done;
    const struct actions_progress *progress;
    bool silent; /* the store or the helper did not answer: the rest is not tried */
    bool away;   /* the store did not answer: don't wait again for each record */
};

/* The helper checks a message by the id in our hold header. What a brake pulled back has
 * none, since it was accepted before: it is checked by its time of arrival, or its
 * sender. */
static void make_check(struct hold_decision *decision)
{
    const json_t *hold = decision->hold;
    long long arrived_s = record_number(hold, "arrived_s");
    if (!actions_is_recalled(hold))
        (void)snprintf(decision->check, CHECK_SIZE, "hold_id=%s", decision->id);
    else if (arrived_s > 0)
        (void)snprintf(decision->check, CHECK_SIZE, "arrived=%lld", arrived_s);
    else
        (void)snprintf(decision->check, CHECK_SIZE, "sender=%s",
                       record_text(hold, "sender"));
}

/* Once the store or the helper has not answered, neither is asked again. */
static void fail_silent(const struct hold_decision *decision, struct decision_job *job)
{
    job->silent = job->silent || decision->result->status == STATUS_UNAVAILABLE;
}

/* Says what became of a hold whose state somebody else changed. */
static enum status explain_lost(struct actions *actions, const char *id,
                                struct error *error)
{
    json_t *fresh = NULL;
    enum status status = ledger_find_hold(actions->ledger, id,
                                          clock_deadline_us(ACTIONS_STORE_MS), &fresh);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, status, "there is no held message %.64s", id);
    if (status != STATUS_OK)
        return actions_say_store(error, status);
    status = actions_check(actions, fresh, error);
    json_decref(fresh);
    return status == STATUS_OK
               ? error_set(error, STATUS_CONFLICT, "%s: somebody else changed it", id)
               : status;
}

/* Claims the holds for this call, and says of each other one why not. Returns the number
 * of those in out_claimed. Under the lock. */
static size_t claim(struct decision_job *job, struct hold_decision *first, size_t count,
                    struct hold_decision *out_claimed[HELPER_BATCH_MAX])
{
    struct actions *actions = job->actions;
    struct hold_decision *checked[HELPER_BATCH_MAX];
    const char *ids[HELPER_BATCH_MAX];
    enum status statuses[HELPER_BATCH_MAX];
    size_t checked_count = 0;
    size_t claimed_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct actions_result *result = first[i].result;
        result->status = actions_check(actions, first[i].hold, &result->error);
        if (result->status != STATUS_OK)
            continue;
        ids[checked_count] = first[i].id;
        checked[checked_count++] = &first[i];
    }
    ledger_move_many(actions->ledger, ids, checked_count, "held",
                     actions_states[job->verb].during,
                     clock_deadline_us(ACTIONS_STORE_MS), statuses);
    for (size_t i = 0; i < checked_count; i++) {
        struct actions_result *result = checked[i]->result;
        result->status = statuses[i];
        if (statuses[i] == STATUS_OK)
            out_claimed[claimed_count++] = checked[i];
        else if (statuses[i] == STATUS_CONFLICT || statuses[i] == STATUS_NOT_FOUND)
            result->status = explain_lost(actions, checked[i]->id, &result->error);
        else
            (void)actions_say_store(&result->error, statuses[i]);
        fail_silent(checked[i], job);
    }
    return claimed_count;
}

/* Without the store the sample is lost: the next run like it may be held again. */
static void train(const struct decision_job *job, const json_t *hold)
{
    (void)!ledger_train(job->actions->ledger, &job->settings->policy, hold,
                        clock_deadline_us(ACTIONS_STORE_MS));
}

/* A hold's state after the helper's answer to its order. */
static const char *outcome(const struct decision_job *job,
                           const struct helper_order *order)
{
    bool own = actions_names(job->actions) == ACTIONS_NAMES_OWN;
    if (order->status == STATUS_OK)
        return actions_states[job->verb].after;
    return order->status == STATUS_NOT_FOUND && own ? "gone" : "held";
}

/* Records the holds whose next state is to. */
static void write_outcome(struct decision_job *job, struct hold_decision *const *ordered,
                          const struct helper_order *orders, size_t count, const char *to,
                          enum status *written)
{
    const char *ids[HELPER_BATCH_MAX];
    enum status statuses[HELPER_BATCH_MAX];
    size_t matching = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(outcome(job, &orders[i]), to) == 0)
            ids[matching++] = ordered[i]->id;
    ledger_move_many(
        job->actions->ledger, ids, matching, actions_states[job->verb].during, to,
        job->away ? clock_monotonic_us() : clock_deadline_us(ACTIONS_STORE_MS), statuses);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(outcome(job, &orders[i]), to) != 0)
            continue;
        job->away = job->away || statuses[at] == STATUS_UNAVAILABLE;
        written[i] = statuses[at++];
    }
}

/* The result of one order, and of its record. */
static enum status conclude(const struct decision_job *job,
                            const struct hold_decision *decision,
                            const struct helper_order *order, enum status written,
                            struct error *error)
{
    const char *id = decision->id;
    bool own = actions_names(job->actions) == ACTIONS_NAMES_OWN;
    bool gone = order->status == STATUS_NOT_FOUND;
    if (gone && !own)
        return error_set(
            error, STATUS_CONFLICT,
            "%s is not in this queue; another relay may also be called %s: run it there",
            id, job->actions->host);
    if (gone)
        return error_set(error, order->status,
                         "%s: the message is not in the queue any more", id);
    if (order->status != STATUS_OK)
        return error_set(error, order->status, "%s: %s", id, order->error.text);
    if (written != STATUS_OK)
        return error_set(
            error, STATUS_UNAVAILABLE,
            "%s is %s, but the store did not record it: `mailbrake quarantine sync` will",
            id, actions_states[job->verb].after);
    return STATUS_OK;
}

/* Records how the helper's orders went. */
static void conclude_all(struct decision_job *job, struct hold_decision *const *ordered,
                         struct helper_order *orders, size_t count)
{
    enum status written[HELPER_BATCH_MAX];
    for (size_t i = 0; i < count; i++)
        if (orders[i].status == STATUS_OK && job->verb == ACTIONS_RELEASE)
            train(job, ordered[i]->hold);
    write_outcome(job, ordered, orders, count, actions_states[job->verb].after, written);
    write_outcome(job, ordered, orders, count, "gone", written);
    write_outcome(job, ordered, orders, count, "held", written);
    for (size_t i = 0; i < count; i++) {
        struct actions_result *result = ordered[i]->result;
        result->untold = orders[i].untold;
        result->status =
            conclude(job, ordered[i], &orders[i], written[i], &result->error);
        fail_silent(ordered[i], job);
        free(orders[i].value);
    }
}

/* ---- a batch ---- */

/* Sorts what one notice, or none, is sent for next to each other: by incident and
 * sender. What has no hold is last. */
static int compare(const void *left, const void *right)
{
    const struct hold_decision *a = left;
    const struct hold_decision *b = right;
    int order = (a->hold == NULL) - (b->hold == NULL);
    if (order != 0 || a->hold == NULL)
        return order;
    order = refusal_is_told(a->hold) - refusal_is_told(b->hold);
    if (order != 0 || !refusal_is_told(a->hold))
        return order;
    order = strcmp(record_text(a->hold, "incident"), record_text(b->hold, "incident"));
    return order != 0
               ? order
               : strcmp(record_text(a->hold, "sender"), record_text(b->hold, "sender"));
}

/* A notice is about the message that would have reached most. */
static const json_t *largest(const struct hold_decision *first, size_t count)
{
    const json_t *found = first->hold;
    for (size_t i = 1; i < count; i++) {
        if (record_number(first[i].hold, "reach") > record_number(found, "reach"))
            found = first[i].hold;
    }
    return found;
}

/* At most HELPER_BATCH_MAX. Under the lock. */
static void order_batch(struct decision_job *job, struct hold_decision *first,
                        size_t count, const struct refusal *refusal)
{
    struct helper_order orders[HELPER_BATCH_MAX] = {0};
    struct hold_decision *ordered[HELPER_BATCH_MAX];
    struct error error = {0};
    int64_t deadline_us = clock_deadline_us(ACTIONS_HELPER_MS);
    size_t wanted = claim(job, first, count, ordered);
    for (size_t i = 0; i < wanted; i++) {
        make_check(ordered[i]);
        orders[i].queue_id = record_text(ordered[i]->hold, "queue_id");
        orders[i].check = ordered[i]->check;
        if (refusal != NULL)
            orders[i].address = text_string(&refusal->address);
    }
    if (wanted == 0)
        return;
    if (helper_do(job->settings->mta.helper,
                  deadline_us < job->deadline_us ? deadline_us : job->deadline_us,
                  actions_verb_name(job->verb), orders, wanted,
                  refusal == NULL ? NULL : text_string(&refusal->message),
                  &error) == STATUS_UNAVAILABLE)
        job->silent = true;
    conclude_all(job, ordered, orders, wanted);
}

static bool is_any_done(const struct hold_decision *first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (first[i].result->status == STATUS_OK)
            return true;
    }
    return false;
}

/* In batches, each under the lock, so that other callers get their turn. Once a notice is
 * sent, the batches after it need none. */
static void order_group(struct decision_job *job, struct hold_decision *first,
                        size_t count, struct refusal *refusal)
{
    bool reported = false;
    for (size_t at = 0; at < count && !job->silent;) {
        size_t batch = count - at < HELPER_BATCH_MAX ? count - at : HELPER_BATCH_MAX;
        if (clock_left_ms(job->deadline_us) == 0)
            break;
        (void)pthread_mutex_lock(&job->actions->deciding);
        order_batch(job, first + at, batch, refusal);
        (void)pthread_mutex_unlock(&job->actions->deciding);
        if (refusal != NULL && !reported && is_any_done(first + at, batch)) {
            reported = true;
            text_reset(&refusal->address);
            text_add_string(&refusal->address, "-");
            text_reset(&refusal->message);
        }
        at += batch;
        job->done += batch;
        actions_tell(job->progress, job->done, job->count);
    }
}

static void refuse_group(struct decision_job *job, struct hold_decision *first,
                         size_t count)
{
    struct refusal refusal = {0};
    enum status status =
        refusal_make(largest(first, count), count, &job->actions->token_key,
                     &job->settings->policy.domains, clock_wall_ms(), &refusal);
    if (status == STATUS_OK)
        order_group(job, first, count, &refusal);
    for (size_t i = 0; i < count && status != STATUS_OK; i++)
        first[i].result->status =
            error_set(&first[i].result->error, status, "out of memory");
    refusal_clear(&refusal);
}

/* The first found decisions have a hold. */
static void refuse_all(struct decision_job *job, size_t found)
{
    struct hold_decision *decisions = job->decisions;
    for (size_t at = 0; at < found;) {
        size_t end = at + 1;
        while (end < found && compare(&decisions[at], &decisions[end]) == 0)
            end++;
        if (!job->silent)
            refuse_group(job, decisions + at, end - at);
        at = end;
    }
}

/* Reads the holds and sorts them to the front. Returns how many there are. */
static size_t find_all(struct decision_job *job, const char *const *ids)
{
    size_t found = 0;
    json_t **holds = calloc(job->count + 1, sizeof *holds);
    enum status status =
        holds == NULL ? STATUS_NOMEM
                      : ledger_find_holds(job->actions->ledger, ids, job->count,
                                          clock_deadline_us(ACTIONS_READ_MS), holds);
    for (size_t i = 0; i < job->count; i++) {
        struct hold_decision *decision = &job->decisions[i];
        struct error *error = &decision->result->error;
        decision->hold = status == STATUS_OK ? holds[i] : NULL;
        if (status != STATUS_OK)
            decision->result->status = actions_say_store(error, status);
        else if (decision->hold == NULL)
            decision->result->status = error_set(
                error, STATUS_NOT_FOUND, "there is no held message %.64s", decision->id);
        found += decision->hold != NULL;
    }
    free(holds);
    qsort(job->decisions, job->count, sizeof *job->decisions, compare);
    return found;
}

void actions_decide_many(struct actions *actions, const struct settings *settings,
                         enum actions_verb verb, const char *const *ids, size_t count,
                         int64_t deadline_us, const struct actions_progress *progress,
                         struct actions_result *results)
{
    struct decision_job job = {.actions = actions,
                               .settings = settings,
                               .verb = verb,
                               .deadline_us = deadline_us,
                               .count = count,
                               .progress = progress};
    job.decisions = calloc(count, sizeof *job.decisions);
    for (size_t i = 0; i < count; i++) {
        results[i] = (struct actions_result){0};
        results[i].status =
            job.decisions == NULL
                ? error_set(&results[i].error, STATUS_NOMEM, "out of memory")
                : error_set(&results[i].error, STATUS_UNAVAILABLE,
                            "%s: not tried, since the store or mailbrake-mta did not "
                            "answer before",
                            ids[i]);
        if (job.decisions == NULL)
            continue;
        job.decisions[i].id = ids[i];
        job.decisions[i].result = &results[i];
    }
    if (job.decisions == NULL)
        return;
    size_t found = find_all(&job, ids);
    if (verb == ACTIONS_REFUSE)
        refuse_all(&job, found);
    else
        order_group(&job, job.decisions, found, NULL);
    for (size_t i = 0; i < count; i++)
        json_decref(job.decisions[i].hold);
    free(job.decisions);
}

enum status actions_decide(struct actions *actions, const struct settings *settings,
                           enum actions_verb verb, const char *id, struct error *error)
{
    struct actions_result result;
    actions_decide_many(actions, settings, verb, &id, 1,
                        clock_deadline_us(2 * ACTIONS_HELPER_MS), NULL, &result);
    *error = result.error;
    return result.status;
}
