/* Time. Decisions get it as a parameter; only the outermost callers read the clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct timespec; /* from time.h, which not every layer may include */

enum { MINUTES_PER_DAY = 1440, MINUTES_PER_WEEK = 10080 };

/* Wall clock, ms since 1970. */
int64_t clock_wall_ms(void);

/* Monotonic clock, us; for deadlines and durations. */
int64_t clock_monotonic_us(void);

/* The monotonic time in ms milliseconds, in us. */
int64_t clock_deadline_us(int64_t ms);

/* A time of either clock in microseconds, as seconds and nanoseconds. */
struct timespec clock_timespec(int64_t us);

/* Sleeps for ms milliseconds; a signal doesn't shorten it. */
void clock_sleep_ms(int64_t ms);

/* The local minute of the week of a wall time, 0 = Monday 00:00, below MINUTES_PER_WEEK.
 */
int clock_minute_of_week(int64_t wall_ms);

/* Milliseconds left until a monotonic deadline, rounded up, 0 when it has passed. */
int clock_left_ms(int64_t deadline_us);

#endif
