/* The state file is left out: it is the daemon's. A store that answers is asked one of
 * each kind of call, about things that are nobody's and are gone afterwards. */
#include "store/probe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/documents.h"
#include "store/scan.h"
#include "store/subject_key.h"

enum { CALL_MS = 1000 }; /* besides timeout_ms, as `check` may wait */

/* What a store says while it is open; read once its threads have ended. */
struct probe_reports {
    pthread_mutex_t mutex;
    struct problems *problems;
    const char *file;
};

/* Several calls may meet the same refusal. */
static void add_once(struct problems *problems, const char *file, const char *text)
{
    struct problems said = {0};
    problems_warning(&said, file, 0, "store: %s", text);
    if (said.count > 0 && !problems_have(problems, &said.items[0]))
        problems_add(problems, &said);
    problems_clear(&said);
}

static void take_report(void *context, enum severity severity, const char *text)
{
    struct probe_reports *reports = context;
    if (severity == SEVERITY_INFO)
        return;
    (void)pthread_mutex_lock(&reports->mutex);
    add_once(reports->problems, reports->file, text);
    (void)pthread_mutex_unlock(&reports->mutex);
}

/* ---- one call of each kind ---- */

static const char name[] = "check"; /* of rule, subject and record */

static const struct rate rate = {10, 1000, 10};
static const struct surge surge = {1000, 1000, 1000};
static const struct charge charges[] = {
    {.fingerprint = "check-limit", .subject = name, .rate = &rate, .cost = 1},
    {.fingerprint = "check-clients",
     .subject = name,
     .rate = &rate,
     .clients = true,
     .client = name,
     .cost = 1},
    {.fingerprint = "check-surge", .subject = name, .surge = &surge, .cost = 1}};
enum { CHARGES = sizeof charges / sizeof *charges };

static enum status charge(struct store *store, int64_t deadline_us)
{
    struct charge_outcome outcomes[CHARGES];
    enum charge_source source;
    return store_charge(store, charges, CHARGES, CHARGE_TAKE, deadline_us, outcomes,
                        &source);
}

static enum status show(struct store *store, int64_t deadline_us)
{
    struct window window;
    return store_window(store, &charges[CHARGES - 1], deadline_us, &window);
}

static enum status reset(struct store *store, int64_t deadline_us)
{
    return store_amend(store, charges, CHARGES, AMEND_RESET, deadline_us);
}

/* No relay takes an order that is addressed to none. */
static enum status write_record(struct store *store, int64_t deadline_us)
{
    const struct change change = {
        .collection = COLLECTION_ORDERS, .id = name, .value = "check\n"};
    return store_change(store, &change, 1, deadline_us);
}

static enum status ignore(void *context, const char *id, const char *value)
{
    (void)context;
    (void)id;
    (void)value;
    return STATUS_OK;
}

static enum status read_record(struct store *store, int64_t deadline_us)
{
    static const char *const ids[] = {name};
    char *value = NULL;
    enum status status = store_get(store, COLLECTION_ORDERS, name, deadline_us, &value);
    free(value);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    return store_get_many(store, COLLECTION_ORDERS, ids, 1, deadline_us, ignore, NULL);
}

static enum status list_records(struct store *store, int64_t deadline_us)
{
    size_t count;
    enum status status = store_list(store, COLLECTION_PACES, deadline_us, ignore, NULL);
    return status == STATUS_OK ? store_count(store, COLLECTION_PACES, deadline_us, &count)
                               : status;
}

static enum status search_records(struct store *store, int64_t deadline_us)
{
    struct scan scan;
    size_t count;
    scan_set(&scan, COLLECTION_ORDERS, "check ", NULL);
    enum status status = scan_page(store, &scan, deadline_us, ignore, NULL);
    return status == STATUS_OK ? scan_count(store, &scan, deadline_us, &count) : status;
}

static enum status delete_record(struct store *store, int64_t deadline_us)
{
    const struct change change = {.collection = COLLECTION_ORDERS, .id = name};
    return store_change(store, &change, 1, deadline_us);
}

/* In this order. */
static const struct {
    const char *what;
    enum status (*run)(struct store *store, int64_t deadline_us);
} calls[] = {
    {"charge limits", charge},
    {"show a window", show},
    {"reset limits", reset},
    {"write a record", write_record},
    {"read a record", read_record},
    {"list records", list_records},
    {"search records", search_records},
    {"delete a record", delete_record},
};

/* Adds which kinds of calls fail; why is the store's to report. */
static void make_calls(struct store *store, const struct settings *settings,
                       struct problems *problems)
{
    struct text failed = {0};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int64_t deadline_us = clock_deadline_us(settings->store.timeout_ms + CALL_MS);
        if (calls[i].run(store, deadline_us) != STATUS_OK)
            text_printf(&failed, "%s%s", failed.length > 0 ? ", " : "", calls[i].what);
    }
    if (failed.length > 0)
        problems_warning(problems, settings->file, 0,
                         "the store answers, but mailbraked can't: %s",
                         text_string(&failed));
    text_clear(&failed);
}

void probe_store(const struct settings *settings, struct problems *problems,
                 char out_place[STORE_PLACE_SIZE])
{
    struct error error = {0};
    struct digest_key key;
    struct store *store;
    struct problems said = {0};
    struct probe_reports reports = {
        .mutex = PTHREAD_MUTEX_INITIALIZER, .problems = &said, .file = settings->file};
    struct store_reporter reporter = {.report = take_report, .context = &reports};
    struct store_settings probe = settings->store;
    static char no_state_file[] = "";
    probe.state_file = no_state_file;       /* the daemon's, not ours to read or write */
    probe.on_failure = ON_FAILURE_TEMPFAIL; /* Redis itself is to answer */
    out_place[0] = '\0';
    if (subject_key_load(settings, &key, &error) != STATUS_OK ||
        store_open(&probe, &key, reporter, &store, &error) != STATUS_OK) {
        problems_take(problems, &error);
        return;
    }
    if (store_state(store) == STORE_STATE_OK) {
        (void)store_describe(store, out_place);
        if (settings->store.type == STORE_TYPE_REDIS)
            make_calls(store, settings, problems);
    } else {
        problems_warning(problems, settings->file, 0,
                         "the store is away (asked for %d ms), so store.on_failure "
                         "decides",
                         settings->store.timeout_ms);
    }
    store_close(store);
    problems_add(problems, &said);
    problems_clear(&said);
}
