/* A table over time, the sums, then the expectations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/text_table.h"
#include "replay/report_views.h"
#include "replay/timeline.h"

enum { ROWS_MAX = 120, RULES_SHOWN = 3, MINUTES_BEFORE = 5, MINUTES_AFTER = 20 };

bool report_is_met(const struct report *report)
{
    for (size_t i = 0; i < report->scenario->expectation_count; i++) {
        if (!report->checks[i].met)
            return false;
    }
    return true;
}

static void add_count(struct text_table *table, int64_t number)
{
    char text[TEXT_GROUPED_SIZE];
    text_table_add(table, text_grouped(number, text));
}

/* Accepted messages and copies, then messages held, deferred and refused. */
static void add_verdicts(struct text_table *table, const struct report_sum *by)
{
    add_count(table, by[ACTION_ACCEPT].messages);
    add_count(table, by[ACTION_ACCEPT].copies);
    add_count(table, by[ACTION_QUARANTINE].messages);
    add_count(table, by[ACTION_DEFER].messages);
    add_count(table, by[ACTION_REJECT].messages);
}

#define YEAR_MS (INT64_C(360) * 86400 * 1000)

/* ---- by time ---- */

/* The rules that stopped something in an interval, the busiest first. */
static void add_rules(const struct report *report, const struct interval *interval,
                      int64_t *counts, struct text *out)
{
    memset(counts, 0, report->decider_count * sizeof *counts);
    for (size_t i = interval->first_cell; i < interval->first_cell + interval->cell_count;
         i++) {
        const struct report_cell *cell = &report->cells[i];
        if (cell->action != ACTION_ACCEPT)
            counts[cell->decider] += cell->sum.messages;
    }
    for (size_t shown = 0; shown < RULES_SHOWN; shown++) {
        size_t most = 0;
        char number[TEXT_GROUPED_SIZE];
        for (size_t i = 1; i < report->decider_count; i++) {
            if (counts[i] > counts[most])
                most = i;
        }
        if (counts[most] == 0)
            return;
        text_printf(out, "%s%s %s", shown > 0 ? ", " : "", report->deciders[most].name,
                    text_grouped(counts[most], number));
        counts[most] = 0;
    }
}

static const char *label_format(const struct report *report, int64_t step_minutes)
{
    const struct report_tag *all = &report->tags[SCENARIO_ALL];
    bool years = all->last_ms - all->first_ms > YEAR_MS;
    if (step_minutes >= 1440)
        return "%a %d %b %Y";
    return years ? "%a %d %b %Y %H:%M" : "%a %d %b %H:%M";
}

static void add_row(const struct report *report, const struct timeline *timeline,
                    const struct interval *interval, const char *rules,
                    struct text_table *table)
{
    char label[TIMELINE_LABEL];
    timeline_format(timeline_start_ms(timeline, interval->number),
                    label_format(report, timeline->step_minutes), label);
    text_table_add(table, label);
    add_verdicts(table, interval->by);
    add_count(table, report_stopped(interval->by).copies);
    text_table_add(table, rules);
}

/* The intervals that begin from from_ms to until_ms, in local time. */
static bool print_timeline(const struct report *report, const struct timeline *timeline,
                           int64_t from_ms, int64_t until_ms)
{
    const struct text_table_column columns[] = {
        {timeline_step_name(timeline->step_minutes), TEXT_TABLE_KEY},
        {"accepted", TEXT_TABLE_NUMBER},
        {"copies", TEXT_TABLE_NUMBER},
        {"held", TEXT_TABLE_NUMBER},
        {"deferred", TEXT_TABLE_NUMBER},
        {"refused", TEXT_TABLE_NUMBER},
        {"copies not sent", TEXT_TABLE_NUMBER},
        {"stopped by", TEXT_TABLE_TEXT}};
    struct text_table *table = text_table_new(columns, sizeof columns / sizeof *columns);
    int64_t *counts = calloc(report->decider_count, sizeof *counts);
    struct text rules = {0};
    for (size_t i = 0; i < timeline->count && counts != NULL; i++) {
        const struct interval *interval = &timeline->intervals[i];
        int64_t start_ms = timeline_start_ms(timeline, interval->number);
        if (start_ms < from_ms || start_ms > until_ms)
            continue;
        text_reset(&rules);
        add_rules(report, interval, counts, &rules);
        add_row(report, timeline, interval, text_string(&rules), table);
    }
    bool ok = counts != NULL && !rules.failed;
    free(counts);
    text_clear(&rules);
    text_table_print(table, 0);
    return ok;
}

/* Minute by minute around the first message that was stopped. */
static bool print_closing(const struct report *report)
{
    struct timeline timeline;
    int64_t closed_ms = timeline_local_ms(report->closed.at_ms);
    if (report->closed.at_ms == 0)
        return true;
    if (timeline_by_rows(report, SIZE_MAX, &timeline) != STATUS_OK)
        return false;
    (void)fputc('\n', stdout);
    bool ok = print_timeline(report, &timeline,
                             closed_ms - (int64_t)MINUTES_BEFORE * REPORT_MINUTE_MS,
                             closed_ms + (int64_t)MINUTES_AFTER * REPORT_MINUTE_MS);
    timeline_clear(&timeline);
    return ok;
}

static bool print_times(const struct report *report)
{
    struct timeline timeline;
    if (timeline_by_rows(report, ROWS_MAX, &timeline) != STATUS_OK)
        return false;
    bool ok = print_timeline(report, &timeline, INT64_MIN, INT64_MAX);
    if (ok && timeline.step_minutes > 1)
        ok = print_closing(report);
    timeline_clear(&timeline);
    return ok;
}

/* ---- the sums ---- */

static void print_sums(const struct report *report)
{
    static const struct text_table_column columns[] = {{"in all", TEXT_TABLE_TEXT},
                                                       {"messages", TEXT_TABLE_NUMBER},
                                                       {"copies", TEXT_TABLE_NUMBER}};
    static const enum action order[] = {ACTION_ACCEPT, ACTION_QUARANTINE, ACTION_DEFER,
                                        ACTION_REJECT};
    struct text_table *table = text_table_new(columns, 3);
    for (size_t i = 0; i < REPORT_ACTIONS; i++) {
        struct report_sum sum = report->tags[SCENARIO_ALL].by[order[i]];
        text_table_add(table, report_action_name(order[i]));
        add_count(table, sum.messages);
        add_count(table, sum.copies);
    }
    (void)fputc('\n', stdout);
    text_table_print(table, 0);
}

static void add_sum(struct text_table *table, const char *name, const char *verdict,
                    const struct report_sum *sum)
{
    if (sum->messages == 0)
        return;
    text_table_add(table, name);
    text_table_add(table, verdict);
    add_count(table, sum->messages);
    add_count(table, sum->copies);
}

static void print_rules(const struct report *report)
{
    static const struct text_table_column columns[] = {{"by rule", TEXT_TABLE_TEXT},
                                                       {"", TEXT_TABLE_TEXT},
                                                       {"messages", TEXT_TABLE_NUMBER},
                                                       {"copies", TEXT_TABLE_NUMBER}};
    struct text_table *table = text_table_new(columns, 4);
    for (size_t i = 0; i < report->decider_count; i++) {
        const struct report_decider *decider = &report->deciders[i];
        for (size_t n = 0; n < REPORT_ACTIONS; n++)
            add_sum(table, strcmp(decider->name, "-") == 0 ? "(none)" : decider->name,
                    report_action_name((enum action)n), &decider->by[n]);
        add_sum(table, decider->name, "would stop", &decider->would);
    }
    (void)fputc('\n', stdout);
    text_table_print(table, 0);
}

static void print_tags(const struct report *report)
{
    static const struct text_table_column columns[] = {
        {"sent as", TEXT_TABLE_TEXT},    {"sent", TEXT_TABLE_NUMBER},
        {"accepted", TEXT_TABLE_NUMBER}, {"copies", TEXT_TABLE_NUMBER},
        {"held", TEXT_TABLE_NUMBER},     {"deferred", TEXT_TABLE_NUMBER},
        {"refused", TEXT_TABLE_NUMBER}};
    struct text_table *table = NULL;
    if (report->scenario->tag_count < 2)
        return;
    table = text_table_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 1; i < report->scenario->tag_count; i++) {
        const struct report_sum *by = report->tags[i].by;
        text_table_add(table, report->scenario->tags[i]);
        add_count(table, by[ACTION_ACCEPT].messages + report_stopped(by).messages);
        add_verdicts(table, by);
    }
    (void)fputc('\n', stdout);
    text_table_print(table, 0);
}

static bool only_monitors(const struct report *report)
{
    for (size_t i = 0; i < report->decider_count; i++) {
        if (report->deciders[i].would.messages > 0)
            return true;
    }
    return false;
}

static void print_closed(const struct report *report)
{
    char label[TIMELINE_LABEL];
    if (report->closed.at_ms == 0) {
        (void)printf(
            "\nNothing %s stopped%s.\n", report->past != NULL ? "would have been" : "was",
            only_monitors(report) ? ", as the rules that fire only monitor" : "");
        return;
    }
    timeline_format(timeline_local_ms(report->closed.at_ms), "%a %d %b %Y %H:%M:%S",
                    label);
    (void)printf("\nThe brake %s on %s, by %s",
                 report->past != NULL ? "would first have closed" : "first closed", label,
                 report->deciders[report->closed.decider].name);
    if (report->closed.tag != SCENARIO_ALL)
        (void)printf(", for %s", report->scenario->tags[report->closed.tag]);
    (void)puts(".");
}

/* ---- expectations ---- */

static void print_checks(const struct report *report)
{
    static const struct text_table_column columns[] = {{"", TEXT_TABLE_TEXT},
                                                       {"expected", TEXT_TABLE_KEY},
                                                       {"is", TEXT_TABLE_NUMBER},
                                                       {"bound", TEXT_TABLE_NUMBER}};
    const struct scenario *scenario = report->scenario;
    struct text_table *table = NULL;
    if (scenario->expectation_count == 0)
        return;
    table = text_table_new(columns, 4);
    for (size_t i = 0; i < scenario->expectation_count; i++) {
        const struct report_check *check = &report->checks[i];
        text_table_add(table, check->met ? "met" : "NOT MET");
        text_table_add(table, scenario->expectations[i].text);
        add_count(table, check->found);
        add_count(table, check->bound);
    }
    (void)fputc('\n', stdout);
    text_table_print(table, 0);
}

static void print_head(const struct report *report, const char *configuration)
{
    const struct scenario *scenario = report->scenario;
    char from[TIMELINE_LABEL];
    char until[TIMELINE_LABEL];
    char number[TEXT_GROUPED_SIZE];
    const struct report_tag *all = &report->tags[SCENARIO_ALL];
    timeline_format(timeline_local_ms(scenario->start_ms), "%a %d %b %Y %H:%M", from);
    timeline_format(
        timeline_local_ms(report->messages > 0 ? all->last_ms : scenario->start_ms),
        "%a %d %b %Y %H:%M", until);
    output_line("%s", report_title(report));
    (void)printf("%s message%s, %s to %s\n", text_grouped(report->messages, number),
                 report->messages == 1 ? "" : "s", from, until);
    output_line("against %s", configuration);
    (void)puts(report->policy->monitor
                   ? "Its mode is monitor: this is what its rules would do in enforce.\n"
                   : "");
}

bool report_print(const struct report *report, const char *configuration)
{
    print_head(report, configuration);
    bool ok = print_times(report);
    print_sums(report);
    print_rules(report);
    print_tags(report);
    print_closed(report);
    print_checks(report);
    return ok;
}
