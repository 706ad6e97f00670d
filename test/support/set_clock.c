/* Preloaded into servers of the tests: their wall clock shows what a file says, eight
 * bytes with the microseconds since 1970, mapped. The monotonic clock is left alone.
 *
 * libfaketime does the same for most programs, but not for those with jemalloc, as
 * Debian's redis-server, nor with libasan: their allocators read a clock before it has
 * set itself up (https://github.com/wolfcw/libfaketime/issues/130). Hence nothing here
 * allocates. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic(const _Atomic int64_t *) mapped;

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
    if (clock != NULL)
        return *clock;
    struct timespec real;
    (void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
    return (int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
        return (int)syscall(SYS_clock_gettime, id, out);
    int64_t us = now_us();
    *out = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
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
