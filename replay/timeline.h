/* A report's minutes, added up over longer intervals of local time. */
#ifndef REPLAY_TIMELINE_H
#define REPLAY_TIMELINE_H

#include "replay/report.h"

enum { TIMELINE_LABEL = 40 };

/* One interval in which something was sent. */
struct interval {
    int64_t number; /* of the interval, in the order of time */
    struct report_sum by[REPORT_ACTIONS];
    size_t first_cell, cell_count; /* of the report */
};

struct timeline {
    int64_t step_minutes;
    struct interval *intervals;
    size_t count;
};

/* The shortest step with which at most max intervals have messages; SIZE_MAX: minutes.
 * NOMEM. */
enum status timeline_by_rows(const struct report *report, size_t max,
                             struct timeline *out) MUST_CHECK;

/* The shortest step with which at most max intervals lie between the first message and
 * the last. NOMEM. */
enum status timeline_by_span(const struct report *report, int64_t max,
                             struct timeline *out) MUST_CHECK;
void timeline_clear(struct timeline *timeline);

/* When an interval begins, in local milliseconds. */
int64_t timeline_start_ms(const struct timeline *timeline, int64_t number);

/* Milliseconds of local time: what a wall clock shows, read as if it were UTC. */
int64_t timeline_local_ms(int64_t wall_ms);

/* strftime(3) of local milliseconds. */
void timeline_format(int64_t local_ms, const char *format, char out[TIMELINE_LABEL]);

/* "minute", "10 minutes", "day": what one interval is. */
const char *timeline_step_name(int64_t step_minutes);

#endif
