/* Incidents count by the day (record.c), so a report adds them up, rule by rule. */
#include "engine/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "engine/traffic.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"

enum { LARGEST = 10, PAGE_MS = 5000 };

static const char *const counts[] = {"held", "refused", "deferred", "would"};
enum { COUNTS = sizeof counts / sizeof counts[0] };

struct report {
    char from[INSTANT_SIZE]; /* the first day */
    json_t *rules;           /* by name, with "days" by day */
    json_t *incidents;       /* the largest, by copies */
};

/* An object of that name, made if need be; NULL without memory. */
static json_t *obtain(json_t *parent, const char *name)
{
    json_t *found = json_object_get(parent, name);
    if (found != NULL)
        return found;
    found = json_object();
    for (size_t i = 0; i < COUNTS; i++)
        (void)json_object_set_new(found, counts[i], json_integer(0));
    return json_object_set_new(parent, name, found) == 0 ? found : NULL;
}

static bool add(json_t *object, const int64_t numbers[COUNTS])
{
    bool added = object != NULL;
    for (size_t i = 0; i < COUNTS && added; i++)
        added = record_add_number(object, counts[i], numbers[i]);
    return added;
}

static bool add_day(struct report *report, json_t *rule, const char *day,
                    const int64_t numbers[COUNTS])
{
    json_t *days = json_object_get(rule, "days");
    if (strcmp(day, report->from) < 0)
        return true;
    if (days == NULL) {
        days = json_object();
        if (json_object_set_new(rule, "days", days) != 0)
            return false;
    }
    return add(rule, numbers) && add(obtain(days, day), numbers);
}

/* An incident that an older version wrote has no days: all of it counts on its last one.
 */
static bool add_counts(struct report *report, const json_t *incident)
{
    const char *name;
    json_t *day;
    json_t *rule = obtain(report->rules, record_text(incident, "rule"));
    json_t *days = json_object_get(incident, "days");
    int64_t numbers[COUNTS];
    bool added = rule != NULL;
    if (days == NULL) {
        char last[INSTANT_SIZE];
        (void)snprintf(last, sizeof last, "%.10s", record_text(incident, "last_at"));
        for (size_t i = 0; i < COUNTS; i++)
            numbers[i] = record_number(incident, counts[i]);
        return added && add_day(report, rule, last, numbers);
    }
    json_object_foreach(days, name, day)
    {
        for (size_t i = 0; i < COUNTS; i++)
            numbers[i] = json_integer_value(json_array_get(day, i));
        added = added && add_day(report, rule, name, numbers);
    }
    return added;
}

/* Keeps the largest, in order. */
static bool add_largest(struct report *report, const json_t *incident)
{
    static const char *const fields[] = {"id",      "rule",     "key",   "held",
                                         "refused", "deferred", "would", "copies",
                                         "reach",   "last_at"};
    json_t *shown = json_object();
    size_t at = json_array_size(report->incidents);
    int64_t copies = record_number(incident, "copies");
    while (at > 0 &&
           record_number(json_array_get(report->incidents, at - 1), "copies") < copies)
        at--;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        json_t *value = json_object_get(incident, fields[i]);
        (void)json_object_set(shown, fields[i], value == NULL ? json_null() : value);
    }
    if (json_array_insert_new(report->incidents, at, shown) != 0)
        return false;
    if (json_array_size(report->incidents) > LARGEST)
        (void)json_array_remove(report->incidents, LARGEST);
    return true;
}

static enum status add_all(struct report *report, struct ledger_list *list,
                           int64_t deadline_us)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        json_t *incident = NULL;
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status = ledger_list_next(list, clock_deadline_us(PAGE_MS), &incident);
        if (status == STATUS_OK &&
            strncmp(record_text(incident, "last_at"), report->from, 10) >= 0 &&
            (!add_counts(report, incident) || !add_largest(report, incident)))
            status = STATUS_NOMEM;
        json_decref(incident);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_incidents(struct report *report, struct ledger *ledger,
                                  int64_t deadline_us)
{
    struct ledger_list *list = NULL;
    enum status status = ledger_list_incidents(ledger, 0, deadline_us, &list);
    if (status == STATUS_OK)
        status = add_all(report, list, deadline_us);
    ledger_list_free(list);
    list = NULL;
    if (status == STATUS_OK)
        status = ledger_list_would(ledger, 0, deadline_us, &list);
    if (status == STATUS_OK)
        status = add_all(report, list, deadline_us);
    ledger_list_free(list);
    return status;
}

/* ---- as it is shown ---- */

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The object's values in the order of their names, each with its name as field. */
static json_t *sort(json_t *object, const char *field)
{
    size_t count = 0;
    const char *name;
    json_t *value;
    json_t *array = json_array();
    const char **names = calloc(json_object_size(object) + 1, sizeof *names);
    json_object_foreach(object, name, value) if (names != NULL) names[count++] = name;
    if (count > 1)
        qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        value = json_object_get(object, names[i]);
        json_t *named = json_pack("{s:s}", field, names[i]);
        (void)json_object_update(named, value);
        (void)json_array_append_new(array, named);
    }
    free(names);
    return array;
}

static json_t *show_rules(const struct report *report)
{
    size_t i;
    json_t *rule;
    json_t *rules = sort(report->rules, "name");
    json_array_foreach(rules, i, rule)(void)
        json_object_set_new(rule, "days", sort(json_object_get(rule, "days"), "day"));
    return rules;
}

enum status report_make(struct ledger *ledger, struct store *store, int64_t since_ms,
                        int64_t deadline_us, json_t **out)
{
    struct report report = {.rules = json_object(), .incidents = json_array()};
    json_t *traffic[TRAFFIC_REPORTED] = {NULL};
    instant_format(since_ms, report.from);
    report.from[strcspn(report.from, "T")] = '\0';
    enum status status = report.rules == NULL || report.incidents == NULL
                             ? STATUS_NOMEM
                             : read_incidents(&report, ledger, deadline_us);
    if (status == STATUS_OK)
        status = traffic_report(store, since_ms, LARGEST, deadline_us, traffic);
    if (status == STATUS_OK) {
        *out = json_pack(
            "{s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "since", record_time(since_ms),
            "until", record_time(clock_wall_ms()), "rules", show_rules(&report),
            "senders", traffic[TRAFFIC_SENDERS], "lists", traffic[TRAFFIC_LISTS],
            "clients", traffic[TRAFFIC_CLIENTS], "incidents", report.incidents);
        status = *out == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    json_decref(report.rules);
    json_decref(report.incidents);
    return status;
}

/* ---- text ---- */

enum { NAME_SHOWN = 64, KEY_SHOWN = 200 };

static long long number(const json_t *object, const char *name)
{
    return (long long)record_number(object, name);
}

static void add_name(struct text *out, const char *name, int width)
{
    struct text clean = {0};
    text_add_escaped(&clean, name, strlen(name), NAME_SHOWN);
    text_printf(out, "%-*s", width, text_string(&clean));
    text_clear(&clean);
}

static void add_counts_line(struct text *out, const char *name, const json_t *of)
{
    add_name(out, name, 24);
    for (size_t i = 0; i < COUNTS; i++)
        text_printf(out, " %10lld", number(of, counts[i]));
    text_add_string(out, "\n");
}

static void add_largest_lines(struct text *out, const char *head, const json_t *items)
{
    size_t i;
    const json_t *item;
    if (json_array_size(items) == 0)
        return;
    text_printf(out, "\n%10s %10s %10s  %s\n", "MESSAGES", "COPIES", "STOPPED", head);
    json_array_foreach(items, i, item)
    {
        const char *key = record_text(item, "key");
        text_printf(out, "%10lld %10lld %10lld  ", number(item, "messages"),
                    number(item, "copies"), number(item, "stopped"));
        text_add_escaped(out, key, strlen(key), KEY_SHOWN);
        text_add_string(out, "\n");
    }
}

static void add_incidents(struct text *out, const json_t *incidents)
{
    size_t i;
    const json_t *incident;
    if (json_array_size(incidents) == 0)
        return;
    text_printf(out, "\n%-16s %8s %8s  %s\n", "INCIDENT", "COPIES", "WOULD", "RULE, KEY");
    json_array_foreach(incidents, i, incident)
    {
        const char *key = record_text(incident, "key");
        text_printf(out, "%-16.16s %8lld %8lld  ", record_text(incident, "id"),
                    number(incident, "copies"), number(incident, "would"));
        add_name(out, record_text(incident, "rule"), 0);
        text_add_string(out, ", ");
        text_add_escaped(out, key, strlen(key), KEY_SHOWN);
        text_add_string(out, "\n");
    }
}

void report_write(const json_t *report, struct text *out)
{
    size_t i, j;
    const json_t *rule, *day;
    const json_t *rules = json_object_get(report, "rules");
    text_printf(out, "From %.10s to %.10s, whole days in UTC.\n\n",
                record_text(report, "since"), record_text(report, "until"));
    if (json_array_size(rules) == 0)
        text_add_string(out, "Nothing was stopped, and nothing would have been.\n");
    else
        text_printf(out, "%-24s %10s %10s %10s %10s\n", "MESSAGES BY RULE", "HELD",
                    "REFUSED", "DEFERRED", "WOULD");
    json_array_foreach(rules, i, rule)
    {
        const json_t *days = json_object_get(rule, "days");
        add_counts_line(out, record_text(rule, "name"), rule);
        json_array_foreach(days, j, day)
        {
            char name[20];
            (void)snprintf(name, sizeof name, "  %.10s", record_text(day, "day"));
            if (json_array_size(days) > 1)
                add_counts_line(out, name, day);
        }
    }
    add_largest_lines(out, "LARGEST SENDERS", json_object_get(report, "senders"));
    add_largest_lines(out, "LARGEST LISTS", json_object_get(report, "lists"));
    add_incidents(out, json_object_get(report, "incidents"));
}
