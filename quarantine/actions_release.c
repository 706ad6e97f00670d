/* What is checked and recorded before a release: the audience, and who approved it.
 * Approvals are kept with each hold, so the second person releases no message that came
 * after the first one looked. */
#include "quarantine/actions_release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/actions_audience.h"
#include "quarantine/actions_parts.h"
#include "quarantine/ledger_incident.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"
#include "quarantine/terms.h"

enum { APPROVALS_NEEDED = 2 };

/* One release of several holds. */
struct release_job {
    struct actions *actions;
    const struct snapshot *snapshot;
    const struct release_args *args;
    const char *const *ids;
    size_t count;
    json_t **holds;
    struct audiences audiences;
    struct actions_result *results;
    bool *waits; /* of each: it is not to be released yet, or failed */
};

/* ---- the audience ---- */

static enum status check_audience(struct release_job *job, struct error *error)
{
    struct audience_change change;
    enum status status =
        audiences_compare(&job->audiences, job->holds, job->count, &change);
    if (status != STATUS_OK)
        return error_set(error, status, "out of memory");
    return audience_change_check(&change, job->args->reach, error);
}

/* From now on the audience counts that was reviewed just now; whoever approved another
 * one has not approved this one. */
struct audience_note {
    const struct audience *audience;
    const struct digest_key *key;
    bool anew;
};

static bool note_audience(void *context, json_t *hold)
{
    const struct audience_note *note = context;
    struct text digest = {0};
    bool wanted = strcmp(record_text(hold, "state"), "held") == 0 &&
                  (note->anew || record_text(hold, "audience")[0] == '\0');
    if (!wanted)
        return false;
    audience_write(note->audience, note->key, &digest);
    bool noted =
        !digest.failed &&
        json_object_set_new(hold, "audience", json_string(text_string(&digest))) == 0;
    if (note->anew)
        (void)json_object_del(hold, "approved_by");
    text_clear(&digest);
    return noted;
}

/* CONFLICT: there was nothing to note. */
static enum status note(struct actions *actions, const char *id,
                        const struct audience *audience, bool anew)
{
    struct audience_note noted = {audience, ledger_key(actions->ledger), anew};
    return ledger_change_hold(actions->ledger, id, note_audience, &noted,
                              clock_deadline_us(ACTIONS_STORE_MS), NULL);
}

static enum status note_changed(struct release_job *job, struct error *error)
{
    for (size_t i = 0; i < job->count; i++) {
        if (job->holds[i] == NULL ||
            !audiences_is_changed(&job->audiences, i, job->holds[i]))
            continue;
        enum status status = note(job->actions, job->ids[i], job->audiences.now[i], true);
        if (status != STATUS_OK && status != STATUS_CONFLICT &&
            status != STATUS_NOT_FOUND)
            return actions_say_store(error, status);
    }
    return STATUS_OK;
}

/* ---- two pairs of eyes ---- */

/* Whom the holds of one incident would reach. */
struct incident_reach {
    const char *incident;
    int64_t persons; /* all of them, with what other relays release of it */
    int64_t counted; /* what the incident's released_reach has of these holds */
    int64_t more;    /* and what it has not: the sum over these holds */
};

static bool is_of(const struct release_job *job, size_t i, const char *incident)
{
    return job->holds[i] != NULL &&
           strcmp(record_text(job->holds[i], "incident"), incident) == 0;
}

static enum status reach_of(const struct release_job *job, const char *incident,
                            struct incident_reach *out)
{
    struct audience all = {0};
    const struct audience *last = NULL;
    *out = (struct incident_reach){.incident = incident, .persons = job->args->together};
    for (size_t i = 0; i < job->count; i++) {
        const struct audience *now = job->audiences.now[i];
        if (!is_of(job, i, incident))
            continue;
        int64_t reach = record_number(job->holds[i], "reach");
        out->persons = reach > out->persons ? reach : out->persons;
        if (now != NULL && now != last)
            audience_add_all(&all, now);
        last = now;
        if (record_is_counted(job->holds[i]))
            out->counted += reach;
        else if (now != NULL)
            out->more += reach;
    }
    enum status status = audience_settle(&all);
    if ((int64_t)all.count > out->persons)
        out->persons = (int64_t)all.count;
    audience_clear(&all);
    return status;
}

/* What one administrator alone may let go of an incident is counted there before it goes.
 * So of two who release at the same moment, on whatever relays, one sees what the other
 * does; what several relays release by one decision is compared with what was released
 * before that. */
struct count {
    const struct incident_reach *reach;
    const char *decision; /* NULL: only this relay's */
    int64_t max;
};

static bool count_alone(void *context, json_t *incident)
{
    const struct count *count = context;
    const char *decision = count->decision;
    bool again =
        decision != NULL && strcmp(record_text(incident, "decision"), decision) == 0;
    int64_t before =
        record_number(incident, again ? "decision_before" : "released_reach") -
        count->reach->counted;
    if (before < 0)
        before = 0;
    if (count->reach->persons + before > count->max)
        return false;
    if (decision != NULL && !again &&
        (json_object_set_new(incident, "decision", json_string(decision)) != 0 ||
         !record_set_number(incident, "decision_before", before)))
        return false;
    return record_add_number(incident, "released_reach", count->reach->more);
}

static bool mark_counted(void *context, json_t *hold)
{
    (void)context;
    return !record_is_counted(hold) &&
           json_object_set_new(hold, "counted", json_true()) == 0;
}

/* CONFLICT: two must agree. An incident without a record has released nothing. */
static enum status release_alone(const struct release_job *job,
                                 const struct incident_reach *reach)
{
    struct count count = {reach, job->args->decision,
                          job->snapshot->settings->quarantine.approve_over};
    struct ledger *ledger = job->actions->ledger;
    enum status status =
        ledger_change_incident(ledger, reach->incident, count_alone, &count,
                               clock_deadline_us(ACTIONS_STORE_MS), NULL);
    if (status == STATUS_NOT_FOUND)
        return reach->persons <= count.max ? STATUS_OK : STATUS_CONFLICT;
    for (size_t i = 0; i < job->count && status == STATUS_OK; i++) {
        if (!is_of(job, i, reach->incident) || job->audiences.now[i] == NULL)
            continue;
        status = ledger_change_hold(ledger, job->ids[i], mark_counted, NULL,
                                    clock_deadline_us(ACTIONS_STORE_MS), NULL);
        if (status == STATUS_CONFLICT || status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

/* Who has approved a record so far, and one more: by. */
struct approval {
    const char *by;
    size_t count;
    char first[ACTIONS_NAME_SIZE];
};

static bool approve(void *context, json_t *record)
{
    struct approval *approval = context;
    json_t *names = json_object_get(record, "approved_by");
    size_t i;
    const json_t *name;
    bool known = false;
    if (names == NULL) {
        names = json_array();
        if (json_object_set_new(record, "approved_by", names) != 0)
            return false;
    }
    json_array_foreach(names, i, name) known =
        known || strcmp(json_string_value(name), approval->by) == 0;
    if (!known && json_array_append_new(names, record_string(approval->by)) != 0)
        return false;
    approval->count = json_array_size(names);
    const char *first = json_string_value(json_array_get(names, 0));
    (void)snprintf(approval->first, sizeof approval->first, "%s",
                   first == NULL ? "" : first);
    return !known;
}

/* CONFLICT of a change means that this person approved before. */
static void approve_hold(struct release_job *job, size_t i)
{
    struct actions_result *result = &job->results[i];
    struct approval approval = {.by = job->args->by};
    enum status status =
        ledger_change_hold(job->actions->ledger, job->ids[i], approve, &approval,
                           clock_deadline_us(ACTIONS_STORE_MS), NULL);
    job->waits[i] = true;
    if (status == STATUS_NOT_FOUND) {
        result->status = error_set(&result->error, status,
                                   "there is no held message %.64s", job->ids[i]);
    } else if (status != STATUS_OK && status != STATUS_CONFLICT) {
        result->status = actions_say_store(&result->error, status);
    } else if (approval.count < APPROVALS_NEEDED) {
        result->status = STATUS_OK;
        memcpy(result->approved_by, approval.first, sizeof result->approved_by);
    } else {
        job->waits[i] = false;
    }
}

/* Each hold of an incident that reaches too many for one person. */
static enum status approve_incident(struct release_job *job, size_t first,
                                    struct error *error)
{
    struct incident_reach reach;
    const char *incident = record_text(job->holds[first], "incident");
    enum status status = reach_of(job, incident, &reach);
    if (status == STATUS_OK)
        status = release_alone(job, &reach);
    if (status != STATUS_CONFLICT)
        return status == STATUS_OK ? status : actions_say_store(error, status);
    for (size_t i = first; i < job->count; i++)
        if (job->audiences.now[i] != NULL && is_of(job, i, incident))
            approve_hold(job, i);
    struct approval approval = {.by = job->args->by};
    (void)!ledger_change_incident(job->actions->ledger, incident, approve, &approval,
                                  clock_deadline_us(ACTIONS_STORE_MS), NULL);
    return STATUS_OK;
}

static bool is_first(const struct release_job *job, size_t i)
{
    const char *incident = record_text(job->holds[i], "incident");
    for (size_t before = 0; before < i; before++)
        if (is_of(job, before, incident))
            return false;
    return true;
}

static enum status approve_all(struct release_job *job, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < job->count && status == STATUS_OK; i++)
        if (job->holds[i] != NULL && is_first(job, i))
            status = approve_incident(job, i, error);
    return status;
}

/* ---- release ---- */

static bool join_pace(void *context, json_t *hold)
{
    (void)context;
    return strcmp(record_text(hold, "state"), "held") == 0 && !record_is_paced(hold) &&
           json_object_set_new(hold, "paced", json_true()) == 0;
}

/* It may be released here some time: only what was reviewed is, so it is noted with each
 * hold. CONFLICT of a change is that it is noted already, or that it is decided about. */
static void release_later(const struct release_job *job, size_t i)
{
    struct actions_result *result = &job->results[i];
    if (job->holds[i] == NULL) {
        result->status = error_set(&result->error, STATUS_NOT_FOUND,
                                   "there is no held message %.64s", job->ids[i]);
        return;
    }
    actions_check_result(job->actions, ACTIONS_RELEASE, job->holds[i], result);
    if (result->status != STATUS_OK)
        return;
    enum status status =
        ledger_change_hold(job->actions->ledger, job->ids[i], join_pace, NULL,
                           clock_deadline_us(ACTIONS_STORE_MS), NULL);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        result->status = actions_say_store(&result->error, status);
}

/* Nobody has reviewed what can't be read. */
static void fail_unknown(struct release_job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        if (!job->audiences.unknown[i])
            continue;
        job->waits[i] = true;
        job->results[i].status = error_set(
            &job->results[i].error, STATUS_UNAVAILABLE,
            "%.64s: mailbrake-mta can't tell whom it would reach; its log says why",
            job->ids[i]);
    }
}

static void release_rest(struct release_job *job)
{
    const char **ids = calloc(job->count + 1, sizeof *ids);
    struct actions_result *results = calloc(job->count + 1, sizeof *results);
    size_t count = 0, at = 0;
    for (size_t i = 0; i < job->count && ids != NULL && results != NULL; i++)
        if (!job->waits[i])
            ids[count++] = job->ids[i];
    if (count > 0 && !job->args->later)
        actions_decide_many(job->actions, job->snapshot->settings, ACTIONS_RELEASE, ids,
                            count, job->args->deadline_us, job->args->progress, results);
    for (size_t i = 0; i < job->count; i++) {
        if (job->waits[i])
            continue;
        if (job->args->later)
            release_later(job, i);
        else if (at < count)
            job->results[i] = results[at++];
        else
            job->results[i].status =
                error_set(&job->results[i].error, STATUS_NOMEM, "out of memory");
    }
    free(results);
    free(ids);
}

static enum status prepare(struct release_job *job, struct error *error)
{
    job->holds = calloc(job->count + 1, sizeof *job->holds);
    job->waits = calloc(job->count + 1, sizeof *job->waits);
    if (job->holds == NULL || job->waits == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    enum status status =
        ledger_find_holds(job->actions->ledger, job->ids, job->count,
                          clock_deadline_us(ACTIONS_READ_MS), job->holds);
    if (status != STATUS_OK) {
        memset(job->holds, 0, job->count * sizeof *job->holds);
        return actions_say_store(error, status);
    }
    return audiences_read(job->actions, job->snapshot, job->holds, job->count,
                          &job->audiences, error);
}

static enum status approve_and_release(struct release_job *job, struct error *error)
{
    bool agree =
        !job->args->approved && job->snapshot->settings->quarantine.approve_over > 0;
    enum status status = agree ? approve_all(job, error) : STATUS_OK;
    if (status == STATUS_OK) {
        fail_unknown(job);
        release_rest(job);
    }
    return status;
}

/* The store or the helper is away: so each message fails, as with any other verb. */
static enum status fail_each(struct release_job *job, const struct error *error)
{
    for (size_t i = 0; i < job->count; i++)
        job->results[i].status = error_set(&job->results[i].error, STATUS_UNAVAILABLE,
                                           "%.64s: %s", job->ids[i], error->text);
    return STATUS_OK;
}

static void clear_job(struct release_job *job)
{
    audiences_clear(&job->audiences);
    for (size_t i = 0; i < job->count && job->holds != NULL; i++)
        json_decref(job->holds[i]);
    free(job->holds);
    free(job->waits);
}

enum status actions_release(struct actions *actions, const struct snapshot *snapshot,
                            const struct release_args *args, const char *const *ids,
                            size_t count, struct actions_result *results,
                            struct error *error)
{
    struct release_job job = {.actions = actions,
                              .snapshot = snapshot,
                              .args = args,
                              .ids = ids,
                              .count = count,
                              .results = results};
    memset(results, 0, count * sizeof *results);
    enum status status = prepare(&job, error);
    if (status == STATUS_OK)
        status = check_audience(&job, error);
    if (status == STATUS_OK)
        status = note_changed(&job, error);
    if (status == STATUS_OK)
        status = approve_and_release(&job, error);
    if (status == STATUS_UNAVAILABLE)
        status = fail_each(&job, error);
    clear_job(&job);
    return status;
}

enum status actions_review(struct actions *actions, const struct snapshot *snapshot,
                           const char *const *ids, size_t count,
                           struct audience_review *out, struct error *error)
{
    struct release_job job = {
        .actions = actions, .snapshot = snapshot, .ids = ids, .count = count};
    enum status status = prepare(&job, error);
    if (status == STATUS_OK)
        status = audiences_review(&job.audiences, job.holds, count, out) == STATUS_OK
                     ? STATUS_OK
                     : error_set(error, STATUS_NOMEM, "out of memory");
    clear_job(&job);
    return status;
}

/* ---- soon after it was held ---- */

enum { NOTED_AT_ONCE = 500, SETTLED_MS = 2000, GIVEN_UP_MS = 60000 };

struct unnoted {
    json_t *holds[NOTED_AT_ONCE];
    size_t count;
};

static enum status gather(void *context, const char *entry, const char *text,
                          const json_t *record)
{
    struct unnoted *unnoted = context;
    (void)entry;
    (void)text;
    if (record_text(record, "audience")[0] != '\0' ||
        strcmp(record_text(record, "state"), "held") != 0)
        return STATUS_OK;
    if (unnoted->count == NOTED_AT_ONCE)
        return STATUS_CONFLICT;
    json_t *copy = json_deep_copy(record);
    if (copy == NULL)
        return STATUS_NOMEM;
    unnoted->holds[unnoted->count++] = copy;
    return STATUS_OK;
}

/* Until when all are noted. One whose message can't be found, or not yet, is tried again
 * for a while. */
static int64_t note_gathered(struct actions *actions, const struct unnoted *unnoted,
                             const struct audiences *audiences, int64_t now_ms)
{
    int64_t until_ms = now_ms - SETTLED_MS;
    for (size_t i = 0; i < unnoted->count; i++) {
        const json_t *hold = unnoted->holds[i];
        int64_t held_ms = record_number(hold, "held_at");
        enum status status =
            audiences->now[i] == NULL
                ? STATUS_NOT_FOUND
                : note(actions, record_text(hold, "id"), audiences->now[i], false);
        if (status != STATUS_OK && status != STATUS_CONFLICT && held_ms < until_ms &&
            held_ms > now_ms - GIVEN_UP_MS)
            until_ms = held_ms;
    }
    return until_ms;
}

enum status actions_note_audiences(struct actions *actions,
                                   const struct snapshot *snapshot,
                                   struct actions_noted *noted, int64_t deadline_us)
{
    char term[TERMS_SIZE];
    struct scan scan;
    struct error error;
    struct audiences audiences = {0};
    struct unnoted *unnoted = calloc(1, sizeof *unnoted);
    int64_t now_ms = clock_wall_ms();
    size_t late = ledger_late(actions->ledger);
    if (unnoted == NULL)
        return STATUS_NOMEM;
    terms_of_host(actions->host, term);
    scan_set(&scan, COLLECTION_HOLDS, term, NULL);
    terms_until(term, late == noted->late ? noted->until_ms : 0, scan.next);
    enum status status =
        ledger_scan(actions->ledger, &scan, deadline_us, gather, unnoted);
    bool all = status == STATUS_OK;
    if (status == STATUS_CONFLICT)
        status = STATUS_OK;
    if (status == STATUS_OK && unnoted->count > 0)
        status = audiences_read(actions, snapshot, unnoted->holds, unnoted->count,
                                &audiences, &error);
    if (status == STATUS_OK) {
        int64_t until_ms = note_gathered(actions, unnoted, &audiences, now_ms);
        if (all)
            *noted = (struct actions_noted){until_ms, late};
        status = all ? STATUS_OK : STATUS_LIMIT;
    }
    audiences_clear(&audiences);
    for (size_t i = 0; i < unnoted->count; i++)
        json_decref(unnoted->holds[i]);
    free(unnoted);
    return status;
}

/* ---- a look ahead ---- */

enum status actions_foresee_release(struct actions *actions,
                                    const struct snapshot *snapshot, const json_t *hold,
                                    struct text *out)
{
    struct error error;
    struct audiences audiences;
    struct audience_change change = {0};
    int64_t over = snapshot->settings->quarantine.approve_over;
    json_t *holds[] = {json_incref((json_t *)(uintptr_t)hold)};
    enum status status = audiences_read(actions, snapshot, holds, 1, &audiences, &error);
    if (status == STATUS_OK)
        status = audiences_compare(&audiences, holds, 1, &change);
    if (status == STATUS_OK && change.changed && change.told)
        text_printf(out,
                    "; the people it reaches have changed since it was held: %zu more, "
                    "%zu fewer: --reach %zu releases it",
                    change.more, change.fewer, change.reach);
    else if (status == STATUS_OK && change.changed)
        text_printf(out,
                    "; the people it reaches have changed since it was held: "
                    "--reach %zu releases it",
                    change.reach);
    int64_t reach = record_number(hold, "reach");
    reach = (int64_t)change.reach > reach ? (int64_t)change.reach : reach;
    if (status == STATUS_OK && over > 0 && reach > over)
        text_printf(out,
                    "; as it reaches more than %lld people, two administrators must "
                    "release it",
                    (long long)over);
    if (status == STATUS_OK)
        audiences_clear(&audiences);
    json_decref(holds[0]);
    return status == STATUS_NOMEM || out->failed ? STATUS_NOMEM : STATUS_OK;
}
