/* The two clocks, and the week as the rules' hours see it. */
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <time.h>

int64_t clock_wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_deadline_us(int64_t ms)
{
    return clock_monotonic_us() + ms * 1000;
}

struct timespec clock_timespec(int64_t us)
{
    return (struct timespec){.tv_sec = (time_t)(us / 1000000),
                             .tv_nsec = (long)(us % 1000000) * 1000};
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec left = clock_timespec(ms * 1000);
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* The last answer is kept, since localtime_r(3) takes a lock: the minute since 1970 and
 * that of the week. */
int clock_minute_of_week(int64_t wall_ms)
{
    static _Atomic int64_t kept;
    int64_t minute = wall_ms / 60000;
    int64_t last = atomic_load_explicit(&kept, memory_order_relaxed);
    if (minute > 0 && last >> 16 == minute)
        return (int)(last & 0xffff);
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    if (localtime_r(&seconds, &local) == NULL)
        return 0;
    int day = (local.tm_wday + 6) % 7;
    int of_week = day * MINUTES_PER_DAY + local.tm_hour * 60 + local.tm_min;
    atomic_store_explicit(&kept, minute << 16 | of_week, memory_order_relaxed);
    return of_week;
}

int clock_left_ms(int64_t deadline_us)
{
    int64_t left = deadline_us - clock_monotonic_us();
    if (left <= 0)
        return 0;
    left = (left + 999) / 1000;
    return left > INT_MAX ? INT_MAX : (int)left;
}
