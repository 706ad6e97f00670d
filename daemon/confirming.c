/* Where the answer came, it is decided whether everything goes or nothing, and what may
 * pass afterwards is set; if that relay is away, another one does. Then each relay
 * releases what it holds itself, once. All of it is written down step by step in the
 * record of the answer, so a restart goes on:
 *
 * "begun": {HOST: id of the audit's first line}, "prepared_at", and if everything goes
 * "copies", which then may pass; "done": {HOST: true}; "why", "plain" and "over": an
 * obstacle to some of it, "telling": the relay that says so, "told": to whom it did. */
#include "daemon/confirming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/patience.h"
#include "base/worker.h"
#include "daemon/confirmed.h"
#include "engine/answers.h"
#include "policy/plan.h"
#include "quarantine/actions_release.h"
#include "quarantine/notices/confirm.h"
#include "quarantine/notices/notices.h"
#include "quarantine/record.h"

enum {
    REST_MS = 50, /* an answer that came here waits no longer */
    RESTS_PER_LOOK = 500 / REST_MS,
    LOOKS_PER_PRUNING = 120,
    STORE_MS = 5000,
    RELEASE_MS = 10 * 60 * 1000,
    AWAY_MS = 10000, /* then another relay decides */
    RETRY_MS = 2000, /* after helper or store did not answer */
};

struct confirming {
    struct engine *engine;
    struct actions *actions;
    struct audit *audit;
    struct reload *reload;
    const char *host;
    struct notices notices;
    int64_t pause_us; /* until then nothing is tried; monotonic */
    struct patience helper;
    bool again; /* a step was taken that another one follows at once */
};

static int64_t store_deadline_us(void)
{
    return clock_deadline_us(STORE_MS);
}

/* ---- audit ---- */

static void say_audit(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        log_throttled(SEVERITY_ERROR, "audit: %s", error->text);
}

static struct audit_entry entry_of(int64_t at_ms, const char *who, const char *incident)
{
    return (struct audit_entry){.at_ms = at_ms,
                                .uid = AUDIT_NO_UID,
                                .user = who,
                                .action = "confirm",
                                .target = incident,
                                .purpose = ""};
}

static struct audit_entry entry_of_record(const json_t *record)
{
    return entry_of(record_number(record, "at"), record_text(record, "shown"),
                    record_text(record, "incident"));
}

static void write_answers(const struct confirming *confirming)
{
    struct answer answer;
    struct error error = {0};
    size_t lost = 0;
    while (answers_take(confirming->engine->answers, &answer, &lost)) {
        char result[200];
        struct audit_entry entry = entry_of(answer.at_ms, answer.who, answer.incident);
        if (lost == 0)
            (void)snprintf(result, sizeof result, "not confirmed: %s", answer.why);
        else
            (void)snprintf(result, sizeof result,
                           "not confirmed: %s; %zu more such answers in a short time",
                           answer.why, lost);
        entry.result = result;
        say_audit(audit_append(confirming->audit, &entry, &error), &error);
    }
}

/* ---- changes of the record ---- */

/* What one step changes; NULL and 0: nothing of that. */
struct step {
    const char *host;
    const char *begun; /* the id of the audit's first line */
    bool ended;        /* that line has its second one */
    bool prepared;
    int64_t copies;
    bool done;
    const struct obstacle *obstacle;
    int64_t told;
};

static json_t *hosts_of(json_t *record, const char *name)
{
    json_t *hosts = json_object_get(record, name);
    if (json_is_object(hosts))
        return hosts;
    hosts = json_object();
    return json_object_set_new(record, name, hosts) == 0 ? hosts : NULL;
}

static bool note_obstacle(json_t *record, const struct step *step)
{
    return step->obstacle == NULL || json_object_get(record, "why") != NULL ||
           (json_object_set_new(record, "why", record_string(step->obstacle->why)) == 0 &&
            json_object_set_new(record, "plain", record_string(step->obstacle->plain)) ==
                0 &&
            json_object_set_new(record, "over", json_boolean(step->obstacle->over)) ==
                0 &&
            json_object_set_new(record, "telling", json_string(step->host)) == 0);
}

static bool take_step(void *context, json_t *record)
{
    const struct step *step = context;
    if (step->ended)
        (void)json_object_del(hosts_of(record, "begun"), step->host);
    return (step->begun == NULL ||
            json_object_set_new(hosts_of(record, "begun"), step->host,
                                json_string(step->begun)) == 0) &&
           (!step->prepared || json_object_get(record, "prepared_at") != NULL ||
            (record_set_number(record, "prepared_at", clock_wall_ms()) &&
             record_set_number(record, "copies", step->copies))) &&
           (!step->done || json_object_set_new(hosts_of(record, "done"), step->host,
                                               json_true()) == 0) &&
           note_obstacle(record, step) &&
           (step->told == 0 || record_set_number(record, "told", step->told));
}

static enum status write_step(const struct confirmed *confirmed, struct step step)
{
    step.host = confirmed->host;
    return confirm_change(confirmed->engine->ledger, confirmed->id, take_step, &step,
                          store_deadline_us());
}

static const char *begun_here(const struct confirmed *confirmed)
{
    return record_text(json_object_get(confirmed->record, "begun"), confirmed->host);
}

/* The audit's first line, once: tries that come to nothing add none. */
static enum status begin(const struct confirming *confirming, struct confirmed *confirmed)
{
    char id[DIGEST_ID_SIZE];
    struct error error = {0};
    const struct audit_entry entry = entry_of_record(confirmed->record);
    if (begun_here(confirmed)[0] != '\0')
        return STATUS_OK;
    enum status status = audit_begin(confirming->audit, &entry, id, &error);
    say_audit(status, &error);
    if (status != STATUS_OK)
        return status;
    log_print(SEVERITY_INFO, "incident %s was confirmed by its sender", entry.target);
    (void)json_object_set_new(hosts_of(confirmed->record, "begun"), confirmed->host,
                              json_string(id));
    return write_step(confirmed, (struct step){.begun = id});
}

/* Its second line. */
static void end(const struct confirming *confirming, const struct confirmed *confirmed,
                const json_t *done, const json_t *failed, const char *result)
{
    struct error error = {0};
    struct audit_entry entry = entry_of_record(confirmed->record);
    entry.ids = done;
    entry.failed = json_array_size(failed) > 0 ? failed : NULL;
    entry.result = result;
    say_audit(audit_end(confirming->audit, begun_here(confirmed), &entry, &error),
              &error);
    log_print(SEVERITY_INFO, "incident %s, confirmed by its sender: %s", entry.target,
              result);
}

static enum status give_up(const struct confirming *confirming,
                           const struct confirmed *confirmed,
                           const struct obstacle *obstacle)
{
    char result[400];
    json_t *none = json_array();
    (void)snprintf(result, sizeof result, "not released: %s", obstacle->why);
    end(confirming, confirmed, none, NULL, result);
    json_decref(none);
    return write_step(confirmed, (struct step){.ended = true,
                                               .prepared = true,
                                               .done = true,
                                               .obstacle = obstacle});
}

/* ---- everything or nothing; and what may pass afterwards ---- */

static enum status allow(const struct confirmed *confirmed, const struct rule *rule)
{
    const struct engine *engine = confirmed->engine;
    const char *subject = record_text(confirmed->incident, "key");
    int64_t at_ms = record_number(confirmed->record, "at");
    struct allowance allowance =
        brakes_borrow_allowance(rule->fingerprint, subject, at_ms + CONFIRM_PASS_MS);
    char *id = strdup(confirmed->id);
    char *by = strdup(record_text(confirmed->record, "by"));
    enum status status = STATUS_NOMEM;
    allowance.id = id;
    allowance.by = by;
    allowance.rate =
        permit_rate(confirmed->copies * CONFIRM_PASS_FACTOR, at_ms, allowance.until_ms);
    if (id != NULL && by != NULL && confirmed->copies > 0)
        status =
            active_brakes_allow(engine->active_brakes, &allowance, store_deadline_us());
    free(id);
    free(by);
    return status == STATUS_LIMIT ? STATUS_OK : status;
}

/* The same again changes nothing, since the bucket has the record's id. */
static enum status prepare(const struct confirming *confirming,
                           struct confirmed *confirmed)
{
    struct obstacle obstacle = {0};
    reload_aliases(confirming->reload); /* those that the MTA expands only now */
    struct snapshot *snapshot = current_snapshot_get(&confirming->engine->snapshots);
    enum status status = confirmed_check(confirmed, snapshot, &obstacle);
    const struct rule *rule = policy_find_rule(
        &snapshot->settings->policy, record_text(confirmed->incident, "fingerprint"));
    if (status == STATUS_CONFLICT)
        status = give_up(confirming, confirmed, &obstacle);
    else if (status == STATUS_OK) {
        status = rule == NULL ? STATUS_OK : allow(confirmed, rule);
        if (status == STATUS_OK)
            status = write_step(
                confirmed, (struct step){.prepared = true, .copies = confirmed->copies});
    }
    snapshot_unref(snapshot);
    return status;
}

/* ---- release ---- */

/* How the release of what this relay holds went. */
struct outcome {
    struct actions_result *results;
    const char **ids;
    size_t count;
    json_t *done, *failed;
    bool away;                /* something did not answer: the rest is tried again */
    struct obstacle obstacle; /* "": none */
};

static void sort_results(const struct confirmed *confirmed, struct outcome *outcome)
{
    const struct actions_result *first = NULL;
    for (size_t i = 0; i < outcome->count; i++) {
        const struct actions_result *result = &outcome->results[i];
        const json_t *id = json_array_get(confirmed->ids, i);
        outcome->away = outcome->away || result->status == STATUS_UNAVAILABLE;
        if (result->status == STATUS_OK) {
            (void)json_array_append(outcome->done, (json_t *)(uintptr_t)id);
            continue;
        }
        (void)json_array_append(outcome->failed, (json_t *)(uintptr_t)id);
        first = first == NULL ? result : first;
    }
    if (first == NULL || outcome->away)
        return;
    (void)snprintf(outcome->obstacle.why, sizeof outcome->obstacle.why, "%.290s",
                   first->error.text);
    (void)snprintf(outcome->obstacle.plain, sizeof outcome->obstacle.plain,
                   "the mail server could not release all of it");
}

/* CONFLICT: nothing was released, and the obstacle says why. */
static enum status order(const struct confirming *confirming,
                         const struct confirmed *confirmed, struct outcome *outcome)
{
    struct error error = {0};
    struct obstacle *obstacle = &outcome->obstacle;
    reload_aliases(confirming->reload);
    struct snapshot *snapshot = current_snapshot_get(&confirming->engine->snapshots);
    const struct release_args args = {.by = "",
                                      .reach = -1,
                                      .approved = true,
                                      .deadline_us = clock_deadline_us(RELEASE_MS)};
    enum status status = confirmed_check_brakes(confirmed, snapshot, obstacle);
    if (status == STATUS_OK) {
        status = actions_release(confirming->actions, snapshot, &args, outcome->ids,
                                 outcome->count, outcome->results, &error);
        if (status == STATUS_CONFLICT) {
            (void)snprintf(obstacle->why, sizeof obstacle->why, "%.290s", error.text);
            (void)snprintf(obstacle->plain, sizeof obstacle->plain,
                           "the people whom it would reach have changed since");
        }
    }
    snapshot_unref(snapshot);
    return status;
}

/* Tries that released nothing leave no line. */
static enum status conclude(const struct confirming *confirming,
                            const struct confirmed *confirmed,
                            const struct outcome *outcome)
{
    char result[400];
    size_t done = json_array_size(outcome->done);
    size_t failed = json_array_size(outcome->failed);
    bool obstructed = outcome->obstacle.why[0] != '\0';
    if (outcome->away && done == 0)
        return STATUS_UNAVAILABLE;
    if (outcome->away)
        (void)snprintf(result, sizeof result, "%zu released, %zu are tried again", done,
                       failed);
    else if (failed > 0)
        (void)snprintf(result, sizeof result, "%zu released, %zu failed: %s", done,
                       failed, outcome->obstacle.why);
    else
        (void)snprintf(result, sizeof result, "ok, %zu released", done);
    end(confirming, confirmed, outcome->done, outcome->away ? NULL : outcome->failed,
        result);
    enum status status = write_step(
        confirmed, (struct step){.ended = true,
                                 .done = !outcome->away,
                                 .obstacle = obstructed ? &outcome->obstacle : NULL});
    return outcome->away && status == STATUS_OK ? STATUS_UNAVAILABLE : status;
}

/* UNAVAILABLE: some of it is to be tried again. */
static enum status release(const struct confirming *confirming,
                           struct confirmed *confirmed)
{
    size_t count = json_array_size(confirmed->ids);
    struct outcome outcome = {.results = calloc(count + 1, sizeof *outcome.results),
                              .ids = calloc(count + 1, sizeof *outcome.ids),
                              .count = count,
                              .done = json_array(),
                              .failed = json_array()};
    enum status status = outcome.results == NULL || outcome.ids == NULL ||
                                 outcome.done == NULL || outcome.failed == NULL
                             ? STATUS_NOMEM
                             : begin(confirming, confirmed);
    for (size_t i = 0; i < count && outcome.ids != NULL; i++)
        outcome.ids[i] = json_string_value(json_array_get(confirmed->ids, i));
    if (status == STATUS_OK)
        status = order(confirming, confirmed, &outcome);
    if (status == STATUS_CONFLICT) {
        status = give_up(confirming, confirmed, &outcome.obstacle);
    } else if (status == STATUS_OK) {
        sort_results(confirmed, &outcome);
        status = conclude(confirming, confirmed, &outcome);
    }
    json_decref(outcome.done);
    json_decref(outcome.failed);
    free(outcome.results);
    free(outcome.ids);
    return status;
}

/* ---- a word to the sender and the administrators ---- */

static enum status tell(struct confirming *confirming, const struct confirmed *confirmed)
{
    struct error error = {0};
    const json_t *record = confirmed->record;
    int64_t told = record_number(record, "told");
    const struct notices_answer answer = {
        .incident = record_text(record, "incident"),
        .to = record_text(record, "to"),
        .why = record_text(record, "why"),
        .plain = record_text(record, "plain"),
        .over = json_is_true(json_object_get(record, "over"))};
    struct snapshot *snapshot = current_snapshot_get(&confirming->engine->snapshots);
    enum status status = notices_send_answer(&confirming->notices, snapshot->settings,
                                             &answer, &told, &error);
    snapshot_unref(snapshot);
    if (status != STATUS_OK)
        log_throttled(SEVERITY_WARNING, "notices: %s", error.text);
    enum status written = told == record_number(record, "told")
                              ? STATUS_OK
                              : write_step(confirmed, (struct step){.told = told});
    return status == STATUS_OK ? written : status;
}

/* ---- step by step ---- */

/* The next look takes the next step. */
static enum status advance(struct confirming *confirming, struct confirmed *confirmed)
{
    const json_t *record = confirmed->record;
    const char *host = confirming->host;
    bool prepared = json_object_get(record, "prepared_at") != NULL;
    bool answered_here = strcmp(record_text(record, "host"), host) == 0;
    bool decides =
        answered_here || clock_wall_ms() - record_number(record, "at") > AWAY_MS;
    bool done = json_object_get(json_object_get(record, "done"), host) != NULL;
    bool tells = strcmp(record_text(record, "telling"), host) == 0 &&
                 (record_number(record, "told") & NOTICES_ANSWER_TOLD) == 0;
    if ((done && !tells) || (!done && !prepared && !decides))
        return STATUS_OK;
    if (done)
        return tell(confirming, confirmed);
    enum status status = prepared ? STATUS_OK : begin(confirming, confirmed);
    if (status == STATUS_OK)
        status = confirmed_find(confirmed);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    if (!prepared)
        return prepare(confirming, confirmed);
    bool goes = record_number(record, "copies") > 0;
    if (goes && (begun_here(confirmed)[0] != '\0' || json_array_size(confirmed->ids) > 0))
        return release(confirming, confirmed);
    return write_step(confirmed, (struct step){.done = true});
}

static enum status look_at(void *context, const char *id, const char *text)
{
    struct confirming *confirming = context;
    struct confirmed confirmed = {.engine = confirming->engine,
                                  .actions = confirming->actions,
                                  .host = confirming->host,
                                  .id = id,
                                  .record = record_load(text)};
    int64_t began_us = clock_monotonic_us();
    enum status status =
        confirmed.record == NULL || !patience_is_left(&confirming->helper)
            ? STATUS_OK
            : advance(confirming, &confirmed);
    if (status == STATUS_UNAVAILABLE)
        patience_note(&confirming->helper, began_us, true);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        confirming->pause_us = clock_deadline_us(RETRY_MS);
    else if (confirmed.incident != NULL)
        confirming->again = true;
    confirmed_clear(&confirmed);
    return STATUS_OK;
}

static void look(struct confirming *confirming)
{
    struct snapshot *snapshot = current_snapshot_get(&confirming->engine->snapshots);
    confirming->again = false;
    answers_retry(confirming->engine->answers, confirming->engine->ledger,
                  &snapshot->settings->policy, store_deadline_us());
    snapshot_unref(snapshot);
    write_answers(confirming);
    if (clock_left_ms(confirming->pause_us) == 0)
        (void)!confirm_list(confirming->engine->ledger, clock_wall_ms(),
                            store_deadline_us(), look_at, confirming);
}

static void prune(const struct confirming *confirming)
{
    struct ledger *ledger = confirming->engine->ledger;
    struct snapshot *snapshot = current_snapshot_get(&confirming->engine->snapshots);
    (void)!confirm_prune(ledger, clock_wall_ms(),
                         snapshot->settings->privacy.retention_ms, store_deadline_us());
    snapshot_unref(snapshot);
}

static void rest(const struct confirming *confirming)
{
    for (int i = 0; i < RESTS_PER_LOOK && !confirming->again; i++) {
        clock_sleep_ms(REST_MS);
        if (answers_take_news(confirming->engine->answers))
            return;
    }
}

static void *run(void *argument)
{
    struct confirming *confirming = argument;
    for (unsigned looks = 0;; looks++) {
        look(confirming);
        if (looks % LOOKS_PER_PRUNING == LOOKS_PER_PRUNING - 1)
            prune(confirming);
        rest(confirming);
    }
    return NULL;
}

enum status confirming_start(struct engine *engine, struct actions *actions,
                             struct audit *audit, struct reload *reload, const char *host,
                             struct error *error)
{
    static struct confirming confirming; /* of the one daemon in this process */
    confirming = (struct confirming){.engine = engine,
                                     .actions = actions,
                                     .audit = audit,
                                     .reload = reload,
                                     .host = host,
                                     .notices = {.ledger = engine->ledger,
                                                 .token_key = &engine->token_key,
                                                 .host = host,
                                                 .timeout_ms = NOTICES_TIMEOUT_MS}};
    return worker_start("confirming", run, &confirming, NULL, error);
}
