/* A report's minutes put together to longer stretches of local time. */
#ifndef REPLAY_BINS_H
#define REPLAY_BINS_H

#include "replay/report.h"

enum { BINS_LABEL = 32 };

/* One stretch in which something was sent. */
struct bin {
    int64_t number; /* of the stretch, in the order of time */
    struct report_sum by[REPORT_ACTIONS];
    size_t first_cell, cell_count; /* of the report */
};

struct bins {
    int64_t step_minutes;
    struct bin *items;
    size_t count;
};

/* Minutes as they are. NOMEM. */
enum status bins_by_minute(const struct report *report, struct bins *out) MUST_CHECK;

/* The shortest step with which at most max stretches have something in them. NOMEM. */
enum status bins_by_rows(const struct report *report, size_t max,
                         struct bins *out) MUST_CHECK;

/* The shortest step with which at most max stretches lie from the first message to the
 * last. NOMEM. */
enum status bins_by_span(const struct report *report, int64_t max,
                         struct bins *out) MUST_CHECK;
void bins_clear(struct bins *bins);

/* When a stretch begins, in local milliseconds. */
int64_t bins_start_ms(const struct bins *bins, int64_t number);

/* Milliseconds of local time: what a clock on the wall shows, as if since 1970 in UTC. */
int64_t bins_local_ms(int64_t wall_ms);

/* strftime(3) of local milliseconds. */
void bins_format(int64_t local_ms, const char *format, char out[BINS_LABEL]);

/* "minute", "10 minutes", "day": what one stretch is. */
const char *bins_step_name(int64_t step_minutes);

#endif
