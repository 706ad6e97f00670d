/* Intervals begin at round local times. */
#include "replay/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    int64_t minutes;
    const char *name;
    bool round; /* also used for tables */
} steps[] = {
    {1, "minute", true},       {5, "5 minutes", false}, {10, "10 minutes", true},
    {30, "30 minutes", false}, {60, "hour", true},      {360, "6 hours", false},
    {1440, "day", true},       {10080, "week", true},   {40320, "4 weeks", true},
    {525600, "year", true},
};

enum { STEPS = sizeof steps / sizeof *steps };

int64_t timeline_local_ms(int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    if (localtime_r(&seconds, &local) == NULL)
        return wall_ms;
    return wall_ms + (int64_t)local.tm_gmtoff * 1000;
}

void timeline_format(int64_t local_ms, const char *format, char out[TIMELINE_LABEL])
{
    time_t seconds = (time_t)(local_ms / 1000);
    struct tm parts;
    size_t length = 0;
    if (gmtime_r(&seconds, &parts) != NULL) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        length = strftime(out, TIMELINE_LABEL, format, &parts);
#pragma GCC diagnostic pop
    }
    if (length == 0)
        (void)snprintf(out, TIMELINE_LABEL, "?");
}

const char *timeline_step_name(int64_t step_minutes)
{
    for (size_t i = 0; i < STEPS; i++) {
        if (steps[i].minutes == step_minutes)
            return steps[i].name;
    }
    return "";
}

/* Minutes from 1 January 1970, a Thursday, to the first interval: weeks begin on Mondays.
 */
static int64_t offset_of(int64_t step_minutes)
{
    return step_minutes % 10080 == 0 ? 4 * INT64_C(1440) : 0;
}

static int64_t number_of(int64_t minute, int64_t step_minutes)
{
    int64_t local = timeline_local_ms(minute * REPORT_MINUTE_MS) / REPORT_MINUTE_MS;
    return (local - offset_of(step_minutes)) / step_minutes;
}

int64_t timeline_start_ms(const struct timeline *timeline, int64_t number)
{
    int64_t minute = number * timeline->step_minutes + offset_of(timeline->step_minutes);
    return minute * REPORT_MINUTE_MS;
}

static enum status make(const struct report *report, int64_t step_minutes,
                        struct timeline *out)
{
    struct interval *items = calloc(report->cell_count + 1, sizeof *items);
    size_t count = 0;
    int64_t minute = -1;
    int64_t number = 0;
    if (items == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < report->cell_count; i++) {
        const struct report_cell *cell = &report->cells[i];
        if (cell->minute != minute)
            number = number_of(cell->minute, step_minutes);
        minute = cell->minute;
        /* an hour that comes twice, in autumn, is one */
        if (count == 0 || number > items[count - 1].number)
            items[count++] = (struct interval){.number = number, .first_cell = i};
        struct interval *interval = &items[count - 1];
        interval->cell_count++;
        interval->by[cell->action].messages += cell->sum.messages;
        interval->by[cell->action].copies += cell->sum.copies;
    }
    *out = (struct timeline){
        .step_minutes = step_minutes, .intervals = items, .count = count};
    return STATUS_OK;
}

enum status timeline_by_rows(const struct report *report, size_t max,
                             struct timeline *out)
{
    size_t i = 0;
    enum status status;
    while ((status = make(report, steps[i].minutes, out)) == STATUS_OK &&
           out->count > max && i + 1 < STEPS) {
        timeline_clear(out);
        do
            i++;
        while (!steps[i].round);
    }
    return status;
}

enum status timeline_by_span(const struct report *report, int64_t max,
                             struct timeline *out)
{
    size_t i = 0;
    int64_t minutes = 0;
    if (report->cell_count > 0)
        minutes =
            report->cells[report->cell_count - 1].minute - report->cells[0].minute + 1;
    while (i + 1 < STEPS && minutes / steps[i].minutes >= max)
        i++;
    return make(report, steps[i].minutes, out);
}

void timeline_clear(struct timeline *timeline)
{
    free(timeline->intervals);
    *timeline = (struct timeline){0};
}
