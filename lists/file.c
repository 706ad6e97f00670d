/* A writer in place shows in size, mtime and ctime, a rename in device and inode: both
 * are compared around the read. Times are as coarse as the kernel's tick, so a file is
 * only read once its last change is some ticks old: what changes it later has another
 * time. */
#include "lists/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    ATTEMPTS = 5,
    QUIET_MS = 100,    /* since the last change, before it is read */
    UNENDED_MS = 1000, /* the same when the last line has no end */
    READ_AT_ONCE = 1 << 24,
};

static enum status refuse(struct error *error, const char *path, const char *why)
{
    return error_set_at(error, STATUS_IO, path, 0, "%s", why);
}

/* Waits until the last change is quiet_ms old. */
static void wait_for_quiet(const struct stat *seen, int64_t quiet_ms)
{
    int64_t changed_ms =
        (int64_t)seen->st_mtim.tv_sec * 1000 + seen->st_mtim.tv_nsec / 1000000;
    int64_t age_ms = clock_wall_ms() - changed_ms;
    if (age_ms > -quiet_ms && age_ms < quiet_ms)
        clock_sleep_ms(age_ms < 0 ? quiet_ms : quiet_ms - age_ms);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

/* Reads to the end; more or fewer than size bytes mean that the file changed meanwhile.
 */
static enum status read_bytes(int fd, size_t size, struct file *out)
{
    char *data = malloc(size + 1);
    if (data == NULL)
        return STATUS_NOMEM;
    size_t length = 0;
    while (length <= size) {
        size_t want = size + 1 - length;
        ssize_t got = read(fd, data + length, want < READ_AT_ONCE ? want : READ_AT_ONCE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(data);
            return STATUS_IO;
        }
        if (got == 0)
            break;
        length += (size_t)got;
    }
    if (length != size) {
        free(data);
        return STATUS_UNAVAILABLE;
    }
    data[length] = '\0';
    *out = (struct file){.data = data, .length = length};
    return STATUS_OK;
}

/* True when neither the open file nor the one at path has changed. */
static bool is_unchanged(int fd, const char *path, const struct stat *before)
{
    struct stat open_now, path_now;
    return fstat(fd, &open_now) == 0 && stat(path, &path_now) == 0 &&
           same_file(before, &open_now) && same_file(before, &path_now);
}

/* UNAVAILABLE when it changed meanwhile. */
static enum status read_open(int fd, const char *path, size_t max, struct file *out,
                             struct error *error)
{
    struct stat before;
    if (fstat(fd, &before) != 0)
        return refuse(error, path, strerror(errno));
    if (!S_ISREG(before.st_mode))
        return refuse(error, path, "is not a regular file");
    if (before.st_size < 0 || (uintmax_t)before.st_size > max)
        return error_set_at(error, STATUS_IO, path, 0, "is larger than %zu bytes", max);

    struct file file = {0};
    wait_for_quiet(&before, QUIET_MS);
    enum status status = read_bytes(fd, (size_t)before.st_size, &file);
    if (status == STATUS_IO)
        return refuse(error, path, strerror(errno));
    if (status != STATUS_OK)
        return status;
    if (file.length == 0 || file.data[file.length - 1] != '\n')
        wait_for_quiet(&before, UNENDED_MS);
    if (!is_unchanged(fd, path, &before)) {
        file_clear(&file);
        return STATUS_UNAVAILABLE;
    }
    *out = file;
    return STATUS_OK;
}

enum status file_read(const char *path, size_t max, struct file *out, struct error *error)
{
    enum status status = STATUS_UNAVAILABLE;
    for (int i = 0; i < ATTEMPTS && status == STATUS_UNAVAILABLE; i++) {
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
            return refuse(error, path, strerror(errno));
        status = read_open(fd, path, max, out, error);
        (void)close(fd);
    }
    if (status == STATUS_UNAVAILABLE)
        return refuse(error, path, "changes while it is being read");
    if (status == STATUS_NOMEM)
        return error_set_at(error, status, path, 0, "out of memory");
    return status;
}

enum status file_check_text(struct file *file, const char *path, struct error *error)
{
    static const char mark[] = "\xef\xbb\xbf";
    const char *nul = memchr(file->data, '\0', file->length);
    if (nul != NULL) {
        int line = 1;
        for (const char *c = file->data; c < nul; c++)
            line += *c == '\n';
        return error_set_at(error, STATUS_INVALID, path, line,
                            "contains a NUL byte: it is not text");
    }
    if (file->length >= 3 && memcmp(file->data, mark, 3) == 0) {
        memmove(file->data, file->data + 3, file->length - 3 + 1);
        file->length -= 3;
    }
    return STATUS_OK;
}

void file_clear(struct file *file)
{
    free(file->data);
    *file = (struct file){0};
}
