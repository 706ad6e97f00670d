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
#include "quarantine/ledger_incident.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"
#include "quarantine/refusal.h"
#include "quarantine/terms.h"

/* ---- one hold ---- */

/* A hold to release, refuse or delete. */
struct hold_decision {
    const char *id; /* borrowed */
    json_t *hold;   /* NULL: there was none */
    char check[ACTIONS_CHECK_SIZE];
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

/* Once the store or the helper has not answered, neither is asked again. */
static void fail_silent(const struct hold_decision *decision, struct decision_job *job)
{
    job->silent = job->silent || decision->result->status == STATUS_UNAVAILABLE;
}

/* Says what became of a hold whose state somebody else changed. */
static void explain_lost(const struct decision_job *job, const char *id,
                         struct actions_result *result)
{
    json_t *fresh = NULL;
    enum status status = ledger_find_hold(job->actions->ledger, id,
                                          clock_deadline_us(ACTIONS_STORE_MS), &fresh);
    if (status == STATUS_NOT_FOUND)
        (void)error_set(&result->error, status, "there is no held message %.64s", id);
    else if (status != STATUS_OK)
        (void)actions_say_store(&result->error, status);
    result->status = status;
    if (status != STATUS_OK)
        return;
    actions_check_result(job->actions, job->verb, fresh, result);
    if (result->status == STATUS_OK)
        result->status = error_set(&result->error, STATUS_CONFLICT,
                                   "%s: somebody else changed it", id);
    json_decref(fresh);
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
        actions_check_result(actions, job->verb, first[i].hold, result);
        if (actions_state_after(record_text(first[i].hold, "state")) != NULL)
            explain_lost(job, first[i].id, result); /* it was decided since it was read */
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
            explain_lost(job, checked[i]->id, result);
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
        actions_make_check(ordered[i]->hold, ordered[i]->check);
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
            refusal_silence(refusal);
        }
        at += batch;
        job->done += batch;
        actions_tell(job->progress, job->done, job->count);
    }
}

/* A sender gets one letter about the refusals of an incident, whenever they are made, and
 * on whatever relay. */
struct letter {
    char sender[DIGEST_HEX_SIZE];
    const char *incident;
};

static bool tell(void *context, json_t *incident)
{
    const struct letter *letter = context;
    return record_tell_refusal(incident, letter->sender);
}

static bool untell(void *context, json_t *incident)
{
    const struct letter *letter = context;
    record_untell_refusal(incident, letter->sender);
    return true;
}

/* True when a letter is due. If the store can't say, it is written all the same. */
static bool claim_letter(const struct decision_job *job, const json_t *hold,
                         struct letter *out)
{
    const char *sender = record_text(hold, "sender");
    struct ledger *ledger = job->actions->ledger;
    out->incident = record_text(hold, "incident");
    digest_hex(ledger_key(ledger), sender, strlen(sender), out->sender);
    return ledger_change_incident(ledger, out->incident, tell, out,
                                  clock_deadline_us(ACTIONS_STORE_MS),
                                  NULL) != STATUS_CONFLICT;
}

static void refuse_group(struct decision_job *job, struct hold_decision *first,
                         size_t count)
{
    struct refusal refusal = {0};
    enum status status =
        refusal_make(largest(first, count), count, &job->actions->token_key,
                     &job->settings->policy.domains, clock_wall_ms(), &refusal);
    struct letter letter;
    bool due = status == STATUS_OK && refusal_is_told(first->hold) &&
               claim_letter(job, first->hold, &letter);
    if (!due)
        refusal_silence(&refusal);
    if (status == STATUS_OK)
        order_group(job, first, count, &refusal);
    if (due && !is_any_done(first, count))
        (void)!ledger_change_incident(job->actions->ledger, letter.incident, untell,
                                      &letter, clock_deadline_us(ACTIONS_STORE_MS), NULL);
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

/* ---- what nobody decided about in time is refused, oldest first ---- */

/* So many are decided about together: they may make one notice to a sender. */
enum { EXPIRED_AT_ONCE = 5000 };

struct expiry {
    struct actions *actions;
    const struct settings *settings;
    int64_t deadline_us;
    void (*refused)(const char *id);
    char (*ids)[DIGEST_ID_SIZE];
    size_t count;         /* in ids */
    size_t refused_count; /* in all */
    size_t left;          /* that were tried in vain */
};

static enum status gather_expired(void *context, const char *entry, const char *text,
                                  const json_t *record)
{
    struct expiry *expiry = context;
    (void)text;
    (void)record;
    if (expiry->count == EXPIRED_AT_ONCE)
        return STATUS_CONFLICT; /* it is for the next time */
    (void)snprintf(expiry->ids[expiry->count++], DIGEST_ID_SIZE, "%s", scan_id(entry));
    return STATUS_OK;
}

/* The error is of the first that could not be refused. */
static enum status refuse_gathered(struct expiry *expiry, struct error *error)
{
    const char **ids = calloc(expiry->count + 1, sizeof *ids);
    struct actions_result *results = calloc(expiry->count + 1, sizeof *results);
    enum status status = ids == NULL || results == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < expiry->count && status == STATUS_OK; i++)
        ids[i] = expiry->ids[i];
    if (status == STATUS_OK)
        actions_decide_many(expiry->actions, expiry->settings, ACTIONS_REFUSE, ids,
                            expiry->count, expiry->deadline_us, NULL, results);
    for (size_t i = 0; i < expiry->count && status == STATUS_OK; i++) {
        if (results[i].status == STATUS_OK)
            expiry->refused(ids[i]);
        else if (expiry->left++ == 0)
            *error = results[i].error;
        expiry->refused_count += results[i].status == STATUS_OK;
    }
    free(results);
    free(ids);
    return status;
}

/* One round. What was tried in vain is behind it. */
static enum status refuse_next(struct expiry *expiry, struct scan *scan,
                               struct error *error)
{
    struct scan before = *scan;
    expiry->count = 0;
    enum status status = ledger_scan(expiry->actions->ledger, scan, expiry->deadline_us,
                                     gather_expired, expiry);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        return status;
    status = refuse_gathered(expiry, error);
    if (status == STATUS_OK && clock_left_ms(expiry->deadline_us) == 0 &&
        expiry->left > 0)
        *scan = before; /* not all of them were tried */
    return status;
}

enum status actions_expire(struct actions *actions, const struct settings *settings,
                           int64_t deadline_us, void (*refused)(const char *id),
                           size_t *out_left, struct error *error)
{
    char term[TERMS_SIZE], until[TERMS_SIZE];
    struct expiry expiry = {.actions = actions,
                            .settings = settings,
                            .deadline_us = deadline_us,
                            .refused = refused,
                            .ids = calloc(EXPIRED_AT_ONCE, sizeof *expiry.ids)};
    struct scan *scan = &actions->expire;
    enum status status = expiry.ids == NULL ? STATUS_NOMEM : STATUS_OK;
    terms_of_host(actions->host, term);
    terms_until(term, clock_wall_ms() - settings->quarantine.expire_ms, until);
    if (scan->next[0] == '\0' || scan->done)
        scan_set(scan, COLLECTION_HOLDS, term, until);
    scan->bare = true;
    while (status == STATUS_OK && !scan->done && clock_left_ms(deadline_us) > 0)
        status = refuse_next(&expiry, scan, error);
    free(expiry.ids);
    *out_left = expiry.left;
    if (status == STATUS_LIMIT || (status == STATUS_OK && !scan->done))
        return error_set(error, STATUS_LIMIT,
                         "%zu were refused before the deadline, %zu could not be; the "
                         "next pass goes on from there",
                         expiry.refused_count, expiry.left);
    return status == STATUS_OK ? status : actions_say_store(error, status);
}
