/* Preloaded into servers of the tests: their wall clock shows what a file says, eight
 * bytes with the microseconds since 1970, mapped. The monotonic clock is left alone.
 *
 * libfaketime does the same for most programs, but not for those with jemalloc, as
 * Debian's redis-server, nor with libasan: their allocators read a clock before it has
 * set itself up (https://github.com/wolfcw/libfaketime/issues/130). Hence nothing here
 * allocates. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic(const _Atomic int64_t *) mapped;

static int64_t real_us(void)
{
    struct timespec real;
    (void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
    return (int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000;
}

/* The real time when there is no file. */
static int64_t now_us(void)
{
    const _Atomic int64_t *clock = mapped;
    const char *path = clock == NULL ? getenv("SET_CLOCK_FILE") : NULL;
    if (path != NULL) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        void *map = mmap(NULL, sizeof *clock, PROT_READ, MAP_SHARED, fd, 0);
        (void)close(fd);
        if (map != MAP_FAILED)
            mapped = clock = map;
    }
    return clock != NULL ? (int64_t)*clock : real_us();
}

static struct timespec timespec_of(int64_t us)
{
    return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
        return (int)syscall(SYS_clock_gettime, id, out);
    *out = timespec_of(now_us());
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    (void)zone;
    int64_t us = now_us();
    *out = (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    return 0;
}

time_t time(time_t *out)
{
    time_t seconds = now_us() / 1000000;
    if (out != NULL)
        *out = seconds;
    return seconds;
}

/* The kernel knows only the real time: a deadline by our clock would be long past, and
 * who waits until then in a loop, as libmilter and jemalloc do, would keep a processor
 * busy. */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    enum { MONOTONIC_MAX_S = 1000000000 }; /* 31 years of uptime */
    if (until->tv_sec < MONOTONIC_MAX_S)
        return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, until);
    int64_t until_us = (int64_t)until->tv_sec * 1000000 + until->tv_nsec / 1000;
    struct timespec real = timespec_of(until_us - now_us() + real_us());
    return pthread_cond_clockwait(cond, mutex, CLOCK_REALTIME, &real);
}
