/* Each relay releases what it holds itself, once. Where the answer came, what may pass
 * afterwards is set first; if that relay is away, another one does. All of it is written
 * down step by step, so a restart goes on. */
#include "daemon/confirming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "engine/answers.h"
#include "policy/plan.h"
#include "quarantine/actions_release.h"
#include "quarantine/confirm.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"

enum {
    TICK_MS = 500,
    TICKS_PER_MINUTE = 60000 / TICK_MS,
    STORE_MS = 5000,
    RELEASE_MS = 10 * 60 * 1000,
    AWAY_MS = 10000,  /* then another relay prepares it */
    RETRY_MS = 10000, /* after helper or store did not answer */
};

struct confirming {
    struct engine *engine;
    struct actions *actions;
    struct audit *audit;
    struct reload *reload;
    const char *host;
    int64_t pause_us; /* until then nothing is tried; monotonic */
};

/* What was confirmed, as it is worked on. */
struct confirmed {
    struct confirming *confirming;
    const char *id, *text; /* of its record, as it is in the store */
    json_t *record;
    json_t *incident;
    int64_t now_ms;
    json_t *ids;    /* of what this relay holds of it */
    int64_t copies; /* of all that is held of it, anywhere */
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

/* ---- what is held of it ---- */

static void enter(struct confirmed *confirmed, const json_t *hold)
{
    int64_t copies = record_number(hold, "copies");
    int64_t reach = record_number(hold, "reach");
    if (strcmp(record_text(hold, "confirmed_by"), record_text(confirmed->record, "by")) !=
            0 ||
        strcmp(record_text(hold, "state"), "held") != 0 ||
        record_parse_time(record_text(hold, "held_at")) >
            record_number(confirmed->record, "at"))
        return;
    confirmed->copies += copies > reach ? copies : reach;
    if (strcmp(record_text(hold, "host"), confirmed->confirming->host) == 0)
        (void)json_array_append(confirmed->ids, json_object_get(hold, "id"));
}

static enum status find_held(struct confirmed *confirmed)
{
    struct ledger *ledger = confirmed->confirming->engine->ledger;
    struct ledger_list *list = NULL;
    const char *incident = record_text(confirmed->record, "incident");
    confirmed->ids = json_array();
    enum status status =
        ledger_list_holds(ledger, false, incident, clock_deadline_us(RELEASE_MS), &list);
    while (status == STATUS_OK) {
        json_t *hold = NULL;
        status = ledger_list_next(list, store_deadline_us(), &hold);
        if (status == STATUS_OK)
            enter(confirmed, hold);
        json_decref(hold);
    }
    ledger_list_free(list);
    if (status == STATUS_NOT_FOUND)
        status = ledger_find_incident(ledger, incident, store_deadline_us(),
                                      &confirmed->incident);
    return status == STATUS_OK && confirmed->ids == NULL ? STATUS_NOMEM : status;
}

/* ---- what may pass afterwards ---- */

static enum status replace(struct confirmed *confirmed)
{
    return confirm_replace(confirmed->confirming->engine->ledger, confirmed->id,
                           confirmed->text, confirmed->record, store_deadline_us());
}

static enum status allow(const struct confirmed *confirmed, const struct rule *rule)
{
    const struct engine *engine = confirmed->confirming->engine;
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
    if (id != NULL && by != NULL)
        status =
            active_brakes_allow(engine->active_brakes, &allowance, store_deadline_us());
    free(id);
    free(by);
    return status;
}

/* Allows what may pass, then notes that it did. The same again changes nothing, since the
 * bucket has the record's id. */
static enum status prepare(struct confirmed *confirmed, const struct settings *settings)
{
    const struct rule *rule = policy_find_rule(
        &settings->policy, record_text(confirmed->incident, "fingerprint"));
    enum status status = STATUS_OK;
    if (rule != NULL && confirmed->copies > 0)
        status = allow(confirmed, rule);
    if (status != STATUS_OK && status != STATUS_LIMIT)
        return status;
    return record_set_number(confirmed->record, "copies", confirmed->copies)
               ? replace(confirmed)
               : STATUS_NOMEM;
}

/* ---- release ---- */

/* How many people one sender may let go: what two must approve, he can't. */
static int64_t reach_max(const struct settings *settings)
{
    int64_t max = settings->policy.confirm.max_reach;
    int64_t over = settings->quarantine.approve_over;
    return over > 0 && over < max ? over : max;
}

static bool is_away(const struct actions_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (results[i].status == STATUS_UNAVAILABLE)
            return true;
    return false;
}

/* Writes down how it went. */
static void conclude(struct confirmed *confirmed, const char *audit_id,
                     const struct actions_result *results, const struct error *failure)
{
    char result[300];
    struct error error = {0};
    size_t count = json_array_size(confirmed->ids);
    json_t *done = json_array();
    json_t *failed = json_array();
    struct audit_entry entry = entry_of(record_number(confirmed->record, "at"),
                                        record_text(confirmed->record, "shown"),
                                        record_text(confirmed->record, "incident"));
    for (size_t i = 0; i < count && failure == NULL; i++)
        (void)json_array_append(results[i].status == STATUS_OK ? done : failed,
                                json_array_get(confirmed->ids, i));
    if (failure != NULL)
        (void)snprintf(result, sizeof result, "not released: %.250s", failure->text);
    else if (json_array_size(failed) > 0)
        (void)snprintf(result, sizeof result, "%zu released, %zu failed",
                       json_array_size(done), json_array_size(failed));
    else
        (void)snprintf(result, sizeof result, "ok, %zu released", json_array_size(done));
    entry.ids = done;
    entry.failed = json_array_size(failed) > 0 ? failed : NULL;
    entry.result = result;
    say_audit(audit_end(confirmed->confirming->audit, audit_id, &entry, &error), &error);
    log_print(SEVERITY_INFO, "incident %s was confirmed by its sender: %s", entry.target,
              result);
    json_decref(done);
    json_decref(failed);
}

static enum status order(struct confirmed *confirmed, const char *const *ids,
                         size_t count, struct actions_result *results,
                         struct error *error)
{
    const struct confirming *confirming = confirmed->confirming;
    reload_aliases(confirming->reload); /* those that the MTA expands only now */
    struct snapshot *snapshot = current_snapshot_get(&confirming->engine->snapshots);
    const struct release_args args = {.by = "",
                                      .reach = -1,
                                      .approved = true,
                                      .reach_max = reach_max(snapshot->settings),
                                      .deadline_us = clock_deadline_us(RELEASE_MS)};
    enum status status =
        actions_release(confirming->actions, snapshot, &args, ids, count, results, error);
    snapshot_unref(snapshot);
    return status;
}

/* UNAVAILABLE: some of it is to be tried again. */
static enum status release(struct confirmed *confirmed)
{
    char audit_id[DIGEST_ID_SIZE];
    struct error error = {0};
    size_t count = json_array_size(confirmed->ids);
    const char **ids = calloc(count + 1, sizeof *ids);
    struct actions_result *results = calloc(count + 1, sizeof *results);
    const struct audit_entry entry = entry_of(record_number(confirmed->record, "at"),
                                              record_text(confirmed->record, "shown"),
                                              record_text(confirmed->record, "incident"));
    enum status status = ids == NULL || results == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        ids[i] = json_string_value(json_array_get(confirmed->ids, i));
    if (status == STATUS_OK) {
        status = audit_begin(confirmed->confirming->audit, &entry, audit_id, &error);
        say_audit(status, &error);
    }
    if (status == STATUS_OK) {
        status = order(confirmed, ids, count, results, &error);
        bool away = status == STATUS_OK && is_away(results, count);
        conclude(confirmed, audit_id, results, status == STATUS_OK ? NULL : &error);
        status = away || (status != STATUS_OK && status != STATUS_CONFLICT)
                     ? STATUS_UNAVAILABLE
                     : STATUS_OK;
    }
    free(results);
    free(ids);
    return status;
}

/* This relay has done its part, unless what it holds comes later. */
static enum status finish(struct confirmed *confirmed)
{
    json_t *done = json_object_get(confirmed->record, "done");
    return json_object_set_new(done, confirmed->confirming->host, json_true()) == 0
               ? replace(confirmed)
               : STATUS_NOMEM;
}

/* One step; the next tick makes the next one. */
static enum status advance(struct confirmed *confirmed)
{
    const struct confirming *confirming = confirmed->confirming;
    const json_t *record = confirmed->record;
    bool prepared = json_object_get(record, "copies") != NULL;
    bool answered_here = strcmp(record_text(record, "host"), confirming->host) == 0;
    bool prepares =
        answered_here || confirmed->now_ms - record_number(record, "at") > AWAY_MS;
    if (json_object_get(json_object_get(record, "done"), confirming->host) != NULL ||
        (!prepared && !prepares))
        return STATUS_OK;
    enum status status = find_held(confirmed);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? finish(confirmed) : status;
    if (!prepared) {
        struct snapshot *snapshot = current_snapshot_get(&confirming->engine->snapshots);
        status = prepare(confirmed, snapshot->settings);
        snapshot_unref(snapshot);
        return status;
    }
    if (json_array_size(confirmed->ids) > 0 || answered_here)
        status = release(confirmed);
    return status == STATUS_OK ? finish(confirmed) : status;
}

static enum status look_at(void *context, const char *id, const char *text)
{
    struct confirming *confirming = context;
    struct confirmed confirmed = {.confirming = confirming,
                                  .id = id,
                                  .text = text,
                                  .record = record_load(text),
                                  .now_ms = clock_wall_ms()};
    enum status status = confirmed.record == NULL ? STATUS_OK : advance(&confirmed);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        confirming->pause_us = clock_deadline_us(RETRY_MS);
    json_decref(confirmed.ids);
    json_decref(confirmed.incident);
    json_decref(confirmed.record);
    return STATUS_OK;
}

static void prune(const struct confirming *confirming)
{
    struct ledger *ledger = confirming->engine->ledger;
    struct snapshot *snapshot = current_snapshot_get(&confirming->engine->snapshots);
    (void)!confirm_prune(ledger, clock_wall_ms(),
                         snapshot->settings->privacy.retention_ms, store_deadline_us());
    snapshot_unref(snapshot);
}

static void *run(void *argument)
{
    struct confirming *confirming = argument;
    for (unsigned tick = 0;; tick++) {
        write_answers(confirming);
        if (clock_left_ms(confirming->pause_us) == 0)
            (void)!confirm_list(confirming->engine->ledger, clock_wall_ms(),
                                store_deadline_us(), look_at, confirming);
        if (tick % TICKS_PER_MINUTE == TICKS_PER_MINUTE - 1)
            prune(confirming);
        clock_sleep_ms(TICK_MS);
    }
    return NULL;
}

enum status confirming_start(struct engine *engine, struct actions *actions,
                             struct audit *audit, struct reload *reload, const char *host,
                             struct error *error)
{
    static struct confirming confirming; /* of the one daemon in this process */
    confirming = (struct confirming){engine, actions, audit, reload, host, 0};
    return worker_start("confirming", run, &confirming, NULL, error);
}
