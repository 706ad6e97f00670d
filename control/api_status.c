/* GET /healthz, GET /v1/status and GET /v1/events. */
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/log.h"
#include "control/api.h"
#include "control/overview.h"
#include "control/pace.h"
#include "control/relays.h"
#include "engine/json_output.h"

enum { JUMPED_MAX = 20, STAMP_MS = 500 };

void api_status_health(struct request *request)
{
    const char *state = overview_store_state(store_state(request->context->store));
    request_answer(request, json_pack("{s:b, s:s}", "ok", 1, "store", state));
}

/* {"accept": 0, ...}: every name is always there. */
static json_t *no_verdicts(void)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i}", "accept", 0, "reject", 0, "defer", 0,
                     "quarantine", 0, "tempfail", 0);
}

static void count(json_t *object, const char *name, uint64_t more)
{
    json_int_t before = json_integer_value(json_object_get(object, name));
    (void)json_object_set_new(object, name, json_integer(before + (json_int_t)more));
}

/* A rule's entry, created on first use. */
static json_t *rule_entry(json_t *rules, json_t *by_name, const char *name)
{
    json_t *entry = json_object_get(by_name, name);
    if (entry != NULL)
        return entry;
    entry = json_pack("{s:o, s:{}, s:{}}", "name", json_output_string(name), "verdicts",
                      "would");
    (void)json_array_append_new(rules, entry);
    (void)json_object_set(by_name, name, entry);
    return entry;
}

static json_t *verdicts_json(struct counters *counters)
{
    struct counters_totals totals;
    if (counters_read(counters, &totals) != STATUS_OK)
        return NULL;
    json_t *was = no_verdicts();
    json_t *would = no_verdicts();
    json_t *rules = json_array();
    json_t *by_name = json_object();
    for (size_t i = 0; i < totals.count; i++) {
        const struct counter *item = &totals.items[i];
        json_t *entry = rule_entry(rules, by_name, item->rule);
        count(item->would ? would : was, item->verdict, item->count);
        count(json_object_get(entry, item->would ? "would" : "verdicts"), item->verdict,
              item->count);
    }
    counters_clear(&totals);
    json_decref(by_name);
    return json_pack("{s:o, s:o, s:o}", "verdicts", was, "would", would, "rules", rules);
}

/* A number, or null when the store did not answer. */
static json_t *number(bool known, size_t value)
{
    return known ? json_integer((json_int_t)value) : json_null();
}

/* The last reload's errors, if it failed and the old rules are in force; else null. */
static json_t *failure_json(const struct control_context *context)
{
    char at[INSTANT_SIZE];
    int64_t at_ms = 0;
    struct problems problems = {0};
    context->reload_failure(context->reload_context, &problems, &at_ms);
    instant_format(at_ms, at);
    json_t *json = at_ms == 0 ? json_null()
                              : json_pack("{s:s, s:o}", "at", at, "errors",
                                          json_output_problems(&problems, false));
    problems_clear(&problems);
    return json;
}

/* Why the numbers are unknown although the store answers, or null. */
static json_t *problem(const struct overview *overview)
{
    return overview->complaint[0] == '\0' ? json_null()
                                          : json_output_string(overview->complaint);
}

/* Where the store is, why it is away and for how long it has answered everything; each
 * null when there is nothing to say. */
static json_t *store_json(struct store *store, const struct overview *overview)
{
    char server[STORE_PLACE_SIZE];
    char reason[STORE_COMPLAINT_SIZE];
    const struct store_silences silences = store_silences(store);
    int64_t age_us = clock_monotonic_us() - silences.last_us;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:I, s:o}", "type", overview->store_type, "state",
        overview->store_state, "problem", problem(overview), "server",
        store_describe(store, server) ? json_output_string(server) : json_null(),
        "reason", store_why(store, reason) ? json_output_string(reason) : json_null(),
        "unanswered", (json_int_t)silences.count, "unanswered_age_s",
        silences.count == 0 ? json_null() : json_integer(age_us / 1000000));
}

/* What is released slowly, on whatever relay; null when the store does not answer. */
static json_t *paces_json(const struct request *request)
{
    size_t i;
    const json_t *pace;
    json_t *all = NULL;
    if (pace_list(request->context->store, request_deadline_us(), &all) != STATUS_OK)
        return json_null();
    json_t *shown = json_array();
    json_array_foreach(all, i, pace)(void) json_array_append_new(shown, pace_show(pace));
    json_decref(all);
    return shown;
}

/* Lists whose size waits to be accepted, the first few. */
static json_t *jumped_json(const struct directory *directory)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < directory_list_count(directory); i++) {
        const struct list *list = directory_list(directory, i);
        if ((list->state != LIST_GROWN && list->state != LIST_SHRUNK) ||
            json_array_size(array) == JUMPED_MAX)
            continue;
        (void)json_array_append_new(
            array, json_pack("{s:o, s:I, s:I, s:s}", "address",
                             json_output_string(list->address), "size",
                             (json_int_t)list->size, "was", (json_int_t)list->was,
                             "state", list->state == LIST_GROWN ? "grown" : "shrunk"));
    }
    return array;
}

void api_status_show(struct request *request)
{
    struct overview overview;
    overview_read(request, &overview);
    json_t *json = json_pack(
        "{s:s, s:s, s:o, s:b, s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:{s:I, "
        "s:I, s:I, s:I, s:I, s:o, s:o}, "
        "s:I, s:I, s:o, s:o}",
        "version", MAILBRAKE_VERSION, "mode",
        request->settings->policy.monitor ? "monitor" : "enforce", "host",
        json_output_string(request->context->host), "host_shared",
        actions_names(request->context->actions) == ACTIONS_NAMES_SHARED, "configuration",
        json_output_string(request->settings->file), "uptime_s",
        (json_int_t)overview.uptime_s, "store",
        store_json(request->context->store, &overview), "holds",
        number(overview.known, overview.numbers.holds), "incidents",
        number(overview.known, overview.numbers.incidents_open), "damaged",
        number(overview.known, overview.numbers.damaged), "brakes",
        (json_int_t)overview.brakes, "lists", "ok", (json_int_t)overview.lists_ok,
        "stale", (json_int_t)overview.lists_stale, "shrunk",
        (json_int_t)overview.lists_shrunk, "grown", (json_int_t)overview.lists_grown,
        "unknown", (json_int_t)overview.lists_unknown, "jumped",
        jumped_json(request->snapshot->directory), "unread",
        json_output_lines(snapshot_unread(request->snapshot)), "permits",
        (json_int_t)overview.permits, "log_suppressed", (json_int_t)log_suppressed(),
        "restart", json_output_restart(request->settings), "reload_failed",
        failure_json(request->context));
    json_t *verdicts = verdicts_json(request->context->counters);
    (void)json_object_set_new(json, "paces", paces_json(request));
    (void)json_object_set_new(json, "relays", relays_list(request));
    if (json == NULL || verdicts == NULL || json_object_update(json, verdicts) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(verdicts);
    request_answer(request, json);
}

/* ---- events: cheap, since each page asks every second ---- */

/* What makes up a state. */
struct events {
    char stamp[DIGEST_ID_SIZE];
    uint64_t brakes; /* they are read a moment after the stamp says that they changed */
    const struct snapshot *snapshot;
    enum store_state store;
};

void api_events_show(struct request *request)
{
    char changes[DIGEST_HEX_SIZE];
    struct events events;
    const struct control_context *context = request->context;
    memset(&events, 0, sizeof events); /* its gaps are hashed, too */
    events.brakes = active_brakes_version(context->active_brakes);
    events.snapshot = request->snapshot;
    events.store = store_state(context->store);
    bool known = store_stamp(context->store, clock_deadline_us(STAMP_MS), events.stamp) ==
                 STATUS_OK;
    digest_hex(context->key, &events, sizeof events, changes);
    request_answer(request,
                   json_pack("{s:s, s:s, s:b}", "changes", changes, "store",
                             overview_store_state(events.store), "known", known));
}
