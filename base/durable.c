/* write, fsync, rename, fsync of the folder: in this order each step can fail harmlessly.
 */
#include "base/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, data, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return STATUS_IO;
        data += count;
        length -= (size_t)count;
    }
    return fsync(fd) == 0 ? STATUS_OK : STATUS_IO;
}

static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder =
        slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path + 1));
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(folder);
}

enum status durable_replace(const char *path, const char *temporary, const char *data,
                            size_t length, struct error *error)
{
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  S_IRUSR | S_IWUSR);
    if (fd < 0)
        return error_set_at(error, STATUS_IO, temporary, 0, "%s", strerror(errno));
    enum status status = write_all(fd, data, length);
    int failure = errno;
    if (close(fd) != 0 && status == STATUS_OK) {
        failure = errno;
        status = STATUS_IO;
    }
    if (status == STATUS_OK && rename(temporary, path) != 0) {
        failure = errno;
        status = STATUS_IO;
    }
    if (status != STATUS_OK) {
        (void)unlink(temporary);
        return error_set_at(error, status, path, 0, "%s", strerror(failure));
    }
    sync_folder(path);
    return STATUS_OK;
}
