/* A page is kept as texts: a parsed record is twenty times its text, so only one is there
 * at a time. An open incident moves to the end of the list when something is added to it,
 * so it may be met twice; then the first time counts. */
#include "quarantine/ledger_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/intern.h"
#include "quarantine/ledger_parts.h"
#include "quarantine/terms.h"

struct ledger_list {
    struct ledger *ledger;
    struct scan scan;
    bool all;            /* else nothing that is over */
    int64_t now_ms;      /* by which incidents are open */
    struct intern *seen; /* open incidents */
    char *texts[SCAN_PAGE_MAX];
    size_t count, next;
};

static enum status keep(void *context, const char *entry, const char *value)
{
    struct ledger_list *list = context;
    (void)entry;
    list->texts[list->count] = strdup(value);
    if (list->texts[list->count] == NULL)
        return STATUS_NOMEM;
    list->count++;
    return STATUS_OK;
}

static enum status read_page(struct ledger_list *list, int64_t deadline_us)
{
    list->count = list->next = 0;
    return scan_page(list->ledger->store, &list->scan, deadline_us, keep, list);
}

static enum status make(struct ledger *ledger, const struct scan *scan, bool all,
                        int64_t deadline_us, struct ledger_list **out)
{
    struct ledger_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return STATUS_NOMEM;
    list->ledger = ledger;
    list->scan = *scan;
    list->all = all;
    list->now_ms = clock_wall_ms();
    list->seen = intern_new();
    enum status status = list->seen == NULL ? STATUS_NOMEM : read_page(list, deadline_us);
    if (status == STATUS_OK)
        *out = list;
    else
        ledger_list_free(list);
    return status;
}

enum status ledger_list_holds(struct ledger *ledger, bool all, const char *incident,
                              int64_t deadline_us, struct ledger_list **out)
{
    char term[TERMS_SIZE];
    struct scan scan;
    if (incident != NULL)
        terms_of_incident(incident, term);
    scan_set(&scan, COLLECTION_HOLDS,
             incident != NULL ? term
             : all            ? TERMS_ALL
                              : TERMS_HELD,
             NULL);
    return make(ledger, &scan, all, deadline_us, out);
}

enum status ledger_list_current(struct ledger *ledger, int64_t deadline_us,
                                struct ledger_list **out)
{
    struct scan scan;
    scan_set(&scan, COLLECTION_INCIDENTS, TERMS_CURRENT, NULL);
    return make(ledger, &scan, false, deadline_us, out);
}

static enum status list_since(struct ledger *ledger, enum collection collection,
                              int64_t since_ms, int64_t deadline_us,
                              struct ledger_list **out)
{
    struct scan scan;
    scan_set(&scan, collection, TERMS_ALL, NULL);
    if (since_ms > 0)
        terms_until(TERMS_ALL, since_ms, scan.next);
    return make(ledger, &scan, true, deadline_us, out);
}

enum status ledger_list_incidents(struct ledger *ledger, int64_t since_ms,
                                  int64_t deadline_us, struct ledger_list **out)
{
    return list_since(ledger, COLLECTION_INCIDENTS, since_ms, deadline_us, out);
}

enum status ledger_list_would(struct ledger *ledger, int64_t since_ms,
                              int64_t deadline_us, struct ledger_list **out)
{
    return list_since(ledger, COLLECTION_WOULD, since_ms, deadline_us, out);
}

void ledger_list_free(struct ledger_list *list)
{
    if (list == NULL)
        return;
    while (list->count > list->next)
        free(list->texts[--list->count]);
    intern_free(list->seen);
    free(list);
}

/* Whether an open incident was listed before. NOMEM. */
static enum status note_seen(struct ledger_list *list, const char *id, bool *out_before)
{
    uint32_t number, count = intern_count(list->seen);
    enum status status = intern_add(list->seen, id, strlen(id), &number);
    *out_before = status == STATUS_OK && number < count;
    return status;
}

/* Whether the record is one of the list, and its "open" as of now. */
static enum status settle_incident(struct ledger_list *list, json_t *incident,
                                   bool *out_listed)
{
    bool before = false;
    bool open = record_is_open(incident, list->now_ms);
    enum status status = json_is_true(json_object_get(incident, "open"))
                             ? note_seen(list, record_text(incident, "id"), &before)
                             : STATUS_OK;
    if (status == STATUS_OK &&
        json_object_set_new(incident, "open", json_boolean(open)) != 0)
        status = STATUS_NOMEM;
    *out_listed = !before && (list->all || open || record_waiting(incident) > 0);
    return status;
}

static enum status settle(struct ledger_list *list, json_t *record, bool *out_listed)
{
    if (list->scan.collection != COLLECTION_HOLDS)
        return settle_incident(list, record, out_listed);
    *out_listed = list->all || !record_is_over(record_text(record, "state"));
    return STATUS_OK;
}

enum status ledger_list_next(struct ledger_list *list, int64_t deadline_us, json_t **out)
{
    for (;;) {
        enum status status = STATUS_OK;
        bool listed = false;
        if (list->next == list->count) {
            status = list->scan.done ? STATUS_NOT_FOUND : read_page(list, deadline_us);
            if (status != STATUS_OK)
                return status;
            continue;
        }
        char *text = list->texts[list->next++];
        json_t *record = record_load(text);
        free(text);
        if (record != NULL)
            status = settle(list, record, &listed);
        if (status == STATUS_OK && listed && !record_show(record))
            status = STATUS_NOMEM;
        if (status == STATUS_OK && listed) {
            *out = record;
            return STATUS_OK;
        }
        json_decref(record);
        if (status != STATUS_OK)
            return status;
    }
}

/* ---- scans ---- */

/* Who is given the records of a scan. */
struct reader {
    ledger_each *each;
    void *context;
    int64_t deadline_us;
};

static enum status meet(void *context, const char *entry, const char *value)
{
    const struct reader *reader = context;
    json_t *record = value == NULL ? NULL : record_load(value);
    enum status status = STATUS_OK;
    if (clock_left_ms(reader->deadline_us) == 0)
        status = STATUS_LIMIT;
    else if (value == NULL || record != NULL)
        status = reader->each(reader->context, entry, value, record);
    json_decref(record);
    return status;
}

enum status ledger_scan(struct ledger *ledger, struct scan *scan, int64_t deadline_us,
                        ledger_each *each, void *context)
{
    struct reader reader = {each, context, deadline_us};
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !scan->done)
        status = clock_left_ms(deadline_us) == 0
                     ? STATUS_LIMIT
                     : scan_page(ledger->store, scan, deadline_us, meet, &reader);
    return status == STATUS_UNAVAILABLE && clock_left_ms(deadline_us) == 0 ? STATUS_LIMIT
                                                                           : status;
}

/* ---- counting ---- */

enum status ledger_count_entries(struct ledger *ledger, enum collection collection,
                                 const char *term, const char *from, int64_t deadline_us,
                                 size_t *out)
{
    struct scan scan;
    scan_set(&scan, collection, term, NULL);
    if (from != NULL)
        (void)snprintf(scan.next, sizeof scan.next, "%s", from);
    return scan_count(ledger->store, &scan, deadline_us, out);
}

/* What a collection has, and what of it are records. */
static enum status count_records(struct ledger *ledger, enum collection collection,
                                 int64_t deadline_us, size_t *out_records,
                                 size_t *out_damaged)
{
    size_t all = 0;
    enum status status = ledger_count_entries(ledger, collection, TERMS_ALL, NULL,
                                              deadline_us, out_records);
    if (status == STATUS_OK)
        status = store_count(ledger->store, collection, deadline_us, &all);
    if (status == STATUS_OK && all > *out_records)
        *out_damaged += all - *out_records;
    return status;
}

enum status ledger_list_count(struct ledger *ledger, int64_t deadline_us,
                              struct ledger_numbers *out)
{
    struct ledger_numbers numbers = {0};
    char from[TERMS_SIZE];
    size_t holds = 0;
    terms_until(TERMS_OPEN, clock_wall_ms() - INCIDENT_GAP_MS + 1, from);
    enum status status =
        count_records(ledger, COLLECTION_HOLDS, deadline_us, &holds, &numbers.damaged);
    if (status == STATUS_OK)
        status = count_records(ledger, COLLECTION_INCIDENTS, deadline_us,
                               &numbers.incidents, &numbers.damaged);
    if (status == STATUS_OK)
        status = ledger_count_entries(ledger, COLLECTION_HOLDS, TERMS_HELD, NULL,
                                      deadline_us, &numbers.holds);
    if (status == STATUS_OK)
        status = ledger_count_entries(ledger, COLLECTION_INCIDENTS, TERMS_OPEN, from,
                                      deadline_us, &numbers.incidents_open);
    if (status == STATUS_OK)
        *out = numbers;
    return status;
}
