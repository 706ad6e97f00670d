/* Releases what is due, in the name of whoever began it. A message that can't be released
 * stops it, so that somebody looks. */
#include "daemon/pacing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/patience.h"
#include "base/worker.h"
#include "control/pace.h"
#include "quarantine/actions_release.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"

enum {
    TICK_MS = 500,
    STORE_MS = 5000,
    RELEASE_MS = 60000,
    DUE_MAX = 100, /* at once */
};

/* A pace that was seen; see struct pace_view. */
struct seen {
    char incident[DIGEST_ID_SIZE];
    struct pace_view view;
};

struct pacing {
    struct engine *engine;
    struct actions *actions;
    struct audit *audit;
    const char *host;
    struct seen *seen; /* all paces of the last look */
    size_t seen_count;
    struct patience helper;
};

/* What of an incident is still to be released here: of what was reviewed. What joined the
 * incident later is nobody's yet. */
struct rest {
    char ids[DUE_MAX][DIGEST_ID_SIZE];
    size_t count;
    bool more; /* or some are being decided about */
};

static int64_t store_deadline_us(void)
{
    return clock_deadline_us(STORE_MS);
}

/* everywhere: other relays' messages are part of it, which they release. */
static void enter(const struct pacing *pacing, const json_t *hold, bool everywhere,
                  struct rest *out)
{
    bool here = strcmp(record_text(hold, "host"), pacing->host) == 0;
    if ((!here && !everywhere) || !record_is_paced(hold))
        return;
    if (!here || out->count == DUE_MAX || strcmp(record_text(hold, "state"), "held") != 0)
        out->more = true;
    else
        (void)snprintf(out->ids[out->count++], DIGEST_ID_SIZE, "%s",
                       record_text(hold, "id"));
}

static enum status find_rest(const struct pacing *pacing, const json_t *pace,
                             struct rest *out)
{
    struct ledger_list *list = NULL;
    *out = (struct rest){0};
    enum status status =
        ledger_list_holds(pacing->engine->ledger, false, record_text(pace, "incident"),
                          store_deadline_us(), &list);
    while (status == STATUS_OK) {
        json_t *hold = NULL;
        status = ledger_list_next(list, store_deadline_us(), &hold);
        if (status == STATUS_OK)
            enter(pacing, hold, record_text(pace, "host")[0] == '\0', out);
        json_decref(hold);
    }
    ledger_list_free(list);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static void write_audit(const struct pacing *pacing, const json_t *pace,
                        const json_t *ids, const char *result)
{
    struct error error = {0};
    const struct audit_entry entry = {.at_ms = clock_wall_ms(),
                                      .uid = (uid_t)record_number(pace, "uid"),
                                      .user = record_text(pace, "by"),
                                      .action = "release",
                                      .target = record_text(pace, "incident"),
                                      .purpose = record_text(pace, "purpose"),
                                      .ids = ids,
                                      .result = result};
    if (audit_append(pacing->audit, &entry, &error) != STATUS_OK)
        log_throttled(SEVERITY_ERROR, "audit: %s", error.text);
}

static void stop(const struct pacing *pacing, const json_t *pace, const char *why)
{
    const char *incident = record_text(pace, "incident");
    char result[300];
    (void)snprintf(result, sizeof result, "stopped: %.250s", why);
    log_print(SEVERITY_WARNING, "the slow release of incident %s stopped: %s", incident,
              why);
    write_audit(pacing, pace, NULL, result);
    (void)!pace_fail(pacing->engine->store, incident, why, store_deadline_us());
}

/* The first that failed, or NULL. A store or helper that is away is waited for, and what
 * somebody else decided about meanwhile is done. */
static const struct actions_result *find_failure(const struct actions_result *results,
                                                 size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (results[i].status != STATUS_OK && !results[i].decided &&
            results[i].status != STATUS_UNAVAILABLE)
            return &results[i];
    return NULL;
}

static void release(struct pacing *pacing, const json_t *pace, const struct rest *rest,
                    size_t due)
{
    const char *ids[DUE_MAX];
    struct actions_result results[DUE_MAX];
    struct error error = {0};
    char result[80];
    size_t done = 0;
    int64_t began_us = clock_monotonic_us();
    json_t *names = json_array();
    for (size_t i = 0; i < due; i++)
        ids[i] = rest->ids[i];
    const struct release_args args = {.by = record_text(pace, "by"),
                                      .reach = -1,
                                      .approved = true,
                                      .deadline_us = clock_deadline_us(RELEASE_MS)};
    struct snapshot *snapshot = current_snapshot_get(&pacing->engine->snapshots);
    enum status status =
        actions_release(pacing->actions, snapshot, &args, ids, due, results, &error);
    snapshot_unref(snapshot);
    for (size_t i = 0; i < due && status == STATUS_OK; i++) {
        if (results[i].status != STATUS_OK)
            continue;
        done++;
        (void)json_array_append_new(names, json_string(ids[i]));
    }
    patience_note(&pacing->helper, began_us, done == 0);
    (void)snprintf(result, sizeof result, "ok, %zu done slowly", done);
    if (done > 0)
        write_audit(pacing, pace, names, result);
    json_decref(names);
    const struct actions_result *failed =
        status == STATUS_OK ? find_failure(results, due) : NULL;
    if (status == STATUS_CONFLICT)
        stop(pacing, pace, error.text);
    else if (failed != NULL)
        stop(pacing, pace, failed->error.text);
}

/* A message of the incident waits, as far as is known. */
static bool waits(const struct pacing *pacing, const char *incident)
{
    json_t *record = NULL;
    enum status status = ledger_find_incident(pacing->engine->ledger, incident,
                                              store_deadline_us(), &record);
    bool waiting =
        status == STATUS_OK ? record_waiting(record) > 0 : status != STATUS_NOT_FOUND;
    json_decref(record);
    return waiting;
}

static void finish(const struct pacing *pacing, const char *incident)
{
    log_print(SEVERITY_INFO, "the slow release of incident %s is done", incident);
    (void)!pace_stop(pacing->engine->store, incident, store_deadline_us());
}

static void step(struct pacing *pacing, const struct pace_view *view, const json_t *pace)
{
    struct rest rest;
    size_t due = 0;
    struct store *store = pacing->engine->store;
    const char *incident = record_text(pace, "incident");
    const char *host = record_text(pace, "host");
    if (host[0] != '\0' && strcmp(host, pacing->host) != 0)
        return;
    if (!waits(pacing, incident)) {
        finish(pacing, incident);
        return;
    }
    if (!patience_is_left(&pacing->helper) || !pace_is_due(pace, view, clock_wall_ms()) ||
        find_rest(pacing, pace, &rest) != STATUS_OK)
        return;
    if (rest.count == 0 && !rest.more)
        finish(pacing, incident);
    if (rest.count == 0)
        return;
    if (pace_claim(store, incident, view, rest.count, clock_wall_ms(),
                   store_deadline_us(), &due) == STATUS_OK &&
        due > 0)
        release(pacing, pace, &rest, due);
}

/* When each pace was first seen as it is now. False without memory. */
static bool look(struct pacing *pacing, const json_t *all)
{
    size_t count = json_array_size(all);
    int64_t now_ms = clock_wall_ms();
    struct seen *seen = calloc(count + 1, sizeof *seen);
    if (seen == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *pace = json_array_get(all, i);
        int64_t last_at = record_number(pace, "last_at");
        (void)snprintf(seen[i].incident, sizeof seen[i].incident, "%.16s",
                       record_text(pace, "incident"));
        seen[i].view = (struct pace_view){pacing->host, last_at, now_ms};
        for (size_t j = 0; j < pacing->seen_count; j++) {
            const struct seen *before = &pacing->seen[j];
            if (strcmp(before->incident, seen[i].incident) == 0 &&
                before->view.last_at == last_at && before->view.seen_ms < now_ms)
                seen[i].view = before->view;
        }
    }
    free(pacing->seen);
    pacing->seen = seen;
    pacing->seen_count = count;
    return true;
}

static void *run(void *argument)
{
    struct pacing *pacing = argument;
    for (;;) {
        json_t *all = NULL;
        if (pace_list(pacing->engine->store, store_deadline_us(), &all) == STATUS_OK &&
            look(pacing, all))
            for (size_t i = 0; i < pacing->seen_count; i++)
                step(pacing, &pacing->seen[i].view, json_array_get(all, i));
        json_decref(all);
        clock_sleep_ms(TICK_MS);
    }
    return NULL;
}

enum status pacing_start(struct engine *engine, struct actions *actions,
                         struct audit *audit, const char *host, struct error *error)
{
    static struct pacing pacing; /* of the one daemon in this process */
    pacing = (struct pacing){
        .engine = engine, .actions = actions, .audit = audit, .host = host};
    return worker_start("pacing", run, &pacing, NULL, error);
}
