/* A file of at least 16 bytes, whatever they are: `openssl rand -hex 32` will do. */
#include "store/subject_key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum status subject_key_load(const struct settings *settings, struct digest_key *out_key,
                             struct error *error)
{
    const char *path = settings->privacy.key_file;
    char secret[KEY_FILE_BYTES_MAX];
    if (path == NULL || path[0] == '\0') {
        const char *prefix = settings->store.prefix;
        digest_key_derive(prefix, strlen(prefix), out_key);
        return STATUS_OK;
    }
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC |
                            O_NOCTTY); /* does not wait for a pipe's writer */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "rb");
    if (file == NULL) {
        int failure = errno;
        if (fd >= 0)
            (void)close(fd);
        return error_set_at(error, STATUS_IO, path, 0, "can't read the key: %s",
                            strerror(failure));
    }
    size_t length = fread(secret, 1, sizeof secret, file);
    int failed = ferror(file);
    (void)fclose(file);
    if (failed)
        return error_set_at(error, STATUS_IO, path, 0, "can't read the key");
    if (length < KEY_FILE_BYTES_MIN)
        return error_set_at(error, STATUS_INVALID, path, 0,
                            "a key needs at least %d bytes", KEY_FILE_BYTES_MIN);
    digest_key_derive(secret, length, out_key);
    sodium_memzero(secret, sizeof secret);
    return STATUS_OK;
}
