/* A document for each. What is due is claimed before it is released: after a crash in
 * between it is still held, and its turn comes again. */
#include "control/pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "quarantine/record.h"

enum { COUNT_MAX = 100000, BEHIND_MS = 2000 };

static const struct {
    char name;
    int64_t ms;
} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};

bool pace_parse(const char *text, struct pace_rate *out)
{
    int64_t count;
    if (!text_take_number(&text, &count) || count < 1 || count > COUNT_MAX ||
        text[0] != '/' || text[1] == '\0' || text[2] != '\0')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].name != text[1])
            continue;
        *out = (struct pace_rate){count, units[i].ms};
        return true;
    }
    return false;
}

/* ---- documents ---- */

/* As it was read, and as it is to become. */
struct pace_document {
    char *text;
    json_t *record; /* NULL: there is none */
};

static void clear(struct pace_document *document)
{
    free(document->text);
    json_decref(document->record);
    *document = (struct pace_document){0};
}

static enum status read_one(struct store *store, const char *incident,
                            int64_t deadline_us, struct pace_document *out)
{
    *out = (struct pace_document){0};
    enum status status =
        store_get(store, COLLECTION_PACES, incident, deadline_us, &out->text);
    if (status == STATUS_OK)
        out->record = record_load(out->text);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* record NULL: it is deleted. */
static enum status write_one(struct store *store, const char *incident,
                             const char *expected, const json_t *record,
                             int64_t deadline_us)
{
    char *value = record == NULL ? NULL : json_dumps(record, JSON_COMPACT);
    const struct change change = {.collection = COLLECTION_PACES,
                                  .id = incident,
                                  .check = true,
                                  .expected = expected,
                                  .value = value};
    enum status status = record != NULL && value == NULL
                             ? STATUS_NOMEM
                             : store_change(store, &change, 1, deadline_us);
    free(value);
    return status;
}

/* Changes the record, or sets *record to NULL; false: there is nothing to do. */
typedef bool pace_change(void *context, json_t **record);

static enum status change(struct store *store, const char *incident,
                          pace_change *change_it, void *context, int64_t deadline_us)
{
    enum status status = STATUS_CONFLICT;
    while (status == STATUS_CONFLICT) {
        struct pace_document document;
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status = read_one(store, incident, deadline_us, &document);
        if (status == STATUS_OK && !change_it(context, &document.record)) {
            clear(&document);
            return STATUS_NOT_FOUND;
        }
        if (status == STATUS_OK)
            status =
                write_one(store, incident, document.text, document.record, deadline_us);
        clear(&document);
    }
    return status;
}

static bool put(void *context, json_t **record)
{
    json_decref(*record);
    *record = json_incref(context);
    return true;
}

enum status pace_start(struct store *store, const struct pace_start_args *args,
                       int64_t deadline_us)
{
    int64_t first_ms = args->now_ms - args->rate.period_ms / args->rate.count;
    json_t *record = json_pack(
        "{s:s, s:o, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:i}", "incident",
        args->incident, "host", record_string(args->host), "count",
        (json_int_t)args->rate.count, "period_ms", (json_int_t)args->rate.period_ms, "by",
        record_string(args->by), "purpose", record_string(args->purpose), "uid",
        (json_int_t)args->uid, "messages", (json_int_t)args->messages, "started_at",
        (json_int_t)args->now_ms, "last_at", (json_int_t)first_ms, "released", 0);
    enum status status = record == NULL
                             ? STATUS_NOMEM
                             : change(store, args->incident, put, record, deadline_us);
    json_decref(record);
    return status;
}

static bool drop(void *context, json_t **record)
{
    (void)context;
    bool there = *record != NULL;
    json_decref(*record);
    *record = NULL;
    return there;
}

enum status pace_stop(struct store *store, const char *incident, int64_t deadline_us)
{
    return change(store, incident, drop, NULL, deadline_us);
}

static bool fail(void *context, json_t **record)
{
    return *record != NULL &&
           json_object_set_new(*record, "stopped", record_string(context)) == 0;
}

enum status pace_fail(struct store *store, const char *incident, const char *why,
                      int64_t deadline_us)
{
    return change(store, incident, fail, (void *)(uintptr_t)why, deadline_us);
}

struct claim {
    const struct pace_view *view;
    int64_t now_ms, most, due;
};

/* Until when what was due was taken, by the clock of this relay. */
static int64_t find_last(const json_t *record, const struct pace_view *view,
                         int64_t now_ms)
{
    int64_t last_ms = record_number(record, "last_at");
    const char *by = record_text(record, "last_by");
    if (by[0] == '\0' || strcmp(by, view->host) == 0)
        return last_ms;
    return last_ms == view->last_at ? view->seen_ms : now_ms;
}

/* What was missed while nobody released is not made up for, but for a moment. *out_ms:
 * until when they are due. */
static int64_t count_due(const json_t *record, const struct pace_view *view,
                         int64_t now_ms, int64_t *out_ms)
{
    int64_t count = record_number(record, "count");
    int64_t period_ms = record_number(record, "period_ms");
    int64_t last_ms = find_last(record, view, now_ms);
    if (json_object_get(record, "stopped") != NULL || count < 1 || count > COUNT_MAX ||
        period_ms < 1 || period_ms > units[3].ms)
        return 0;
    int64_t each_ms = period_ms / count;
    int64_t behind_ms = each_ms > BEHIND_MS ? each_ms : BEHIND_MS;
    if (last_ms < now_ms - behind_ms)
        last_ms = now_ms - behind_ms;
    else if (last_ms > now_ms + behind_ms) /* the clock was set back */
        last_ms = now_ms - each_ms;
    else if (last_ms > now_ms)
        return 0;
    int64_t due = (now_ms - last_ms) * count / period_ms;
    *out_ms = last_ms + due * period_ms / count;
    return due;
}

bool pace_is_due(const json_t *pace, const struct pace_view *view, int64_t now_ms)
{
    int64_t until_ms;
    return count_due(pace, view, now_ms, &until_ms) > 0;
}

static bool claim(void *context, json_t **record)
{
    struct claim *claim = context;
    int64_t next_ms = 0;
    claim->due =
        *record == NULL ? 0 : count_due(*record, claim->view, claim->now_ms, &next_ms);
    if (claim->due == 0)
        return false;
    if (claim->due > claim->most) {
        claim->due = claim->most;
        next_ms = claim->now_ms;
    }
    return record_set_number(*record, "last_at", next_ms) &&
           json_object_set_new(*record, "last_by", record_string(claim->view->host)) ==
               0 &&
           record_add_number(*record, "released", claim->due);
}

enum status pace_claim(struct store *store, const char *incident,
                       const struct pace_view *view, size_t most, int64_t now_ms,
                       int64_t deadline_us, size_t *out_due)
{
    struct claim claimed = {.view = view, .now_ms = now_ms, .most = (int64_t)most};
    enum status status = change(store, incident, claim, &claimed, deadline_us);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    *out_due = status == STATUS_OK ? (size_t)claimed.due : 0;
    return STATUS_OK;
}

enum status pace_find(struct store *store, const char *incident, int64_t deadline_us,
                      json_t **out)
{
    struct pace_document document;
    enum status status = read_one(store, incident, deadline_us, &document);
    if (status == STATUS_OK && document.record == NULL)
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        *out = json_incref(document.record);
    clear(&document);
    return status;
}

static enum status gather(void *context, const char *id, const char *value)
{
    json_t *record = record_load(value);
    (void)id;
    if (record == NULL) /* others wrote there */
        return STATUS_OK;
    return json_array_append_new(context, record) == 0 ? STATUS_OK : STATUS_NOMEM;
}

enum status pace_list(struct store *store, int64_t deadline_us, json_t **out)
{
    json_t *all = json_array();
    enum status status =
        all == NULL ? STATUS_NOMEM
                    : store_list(store, COLLECTION_PACES, deadline_us, gather, all);
    if (status == STATUS_OK)
        *out = all;
    else
        json_decref(all);
    return status;
}

json_t *pace_show(const json_t *pace)
{
    char rate[32] = "";
    if (pace == NULL)
        return json_null();
    int64_t messages = record_number(pace, "messages");
    int64_t released = record_number(pace, "released"); /* some twice, after a crash */
    int64_t period_ms = record_number(pace, "period_ms");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].ms == period_ms)
            (void)snprintf(rate, sizeof rate, "%lld/%c",
                           (long long)record_number(pace, "count"), units[i].name);
    const json_t *why = json_object_get(pace, "stopped");
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:o, s:O?}", "incident",
                     record_text(pace, "incident"), "host", record_text(pace, "host"),
                     "pace", rate, "messages", (json_int_t)messages, "released",
                     (json_int_t)(released < messages ? released : messages), "by",
                     record_text(pace, "by"), "started_at",
                     record_time(record_number(pace, "started_at")), "stopped", why);
}
