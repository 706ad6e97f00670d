/* Opened so that a pipe or a terminal can't make us wait. */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum status secret_read(const char *path, char out[SECRET_SIZE], struct error *error)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    ssize_t length = fd < 0 ? -1 : read(fd, out, SECRET_SIZE);
    int failure = errno;
    if (fd >= 0)
        (void)close(fd);
    if (length < 0)
        return error_set_at(error, STATUS_IO, path, 0, "%s", strerror(failure));
    size_t end = 0;
    while (end < (size_t)length && strchr("\r\n", out[end]) == NULL)
        end++;
    bool cut = end == SECRET_SIZE;
    if (cut)
        end = 0;
    explicit_bzero(out + end, SECRET_SIZE - end);
    if (cut)
        return error_set_at(error, STATUS_IO, path, 0,
                            "has a first line of more than %d bytes", SECRET_SIZE - 1);
    if (out[0] == '\0')
        return error_set_at(error, STATUS_IO, path, 0, "contains no password");
    return STATUS_OK;
}
