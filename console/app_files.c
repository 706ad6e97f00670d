/* One flat folder, every file whole in memory. */
#include "console/app_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "console/gzip.h"

#define INDEX "index.html"

struct app_files {
    struct app_file items[APP_FILES_MAX];
    size_t count;
};

/* NULL: nothing of the web. */
static const char *type_of(const char *name)
{
    static const struct {
        const char *suffix, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".svg", "image/svg+xml"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(dot, types[i].suffix) == 0)
            return types[i].type;
    }
    return NULL;
}

static enum status read_whole(int fd, struct app_file *file, struct error *error)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return error_set_at(error, STATUS_IO, file->name, 0, "%s", strerror(errno));
    if (!S_ISREG(about.st_mode))
        return error_set_at(error, STATUS_IO, file->name, 0, "is not a file");
    if (about.st_size > APP_FILE_BYTES_MAX)
        return error_set_at(error, STATUS_LIMIT, file->name, 0, "is too large");
    size_t size = (size_t)about.st_size;
    file->data = malloc(size + 1);
    if (file->data == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    while (file->length < size) {
        ssize_t got = read(fd, file->data + file->length, size - file->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set_at(error, STATUS_IO, file->name, 0, "%s",
                                got < 0 ? strerror(errno) : "has become shorter");
        file->length += (size_t)got;
    }
    return STATUS_OK;
}

static enum status read_file(int folder, const char *name, struct app_files *files,
                             struct error *error)
{
    static const struct digest_key key; /* a fingerprint, no secret */
    char hex[DIGEST_HEX_SIZE];
    if (files->count == APP_FILES_MAX)
        return error_set(error, STATUS_LIMIT, "more than %d files", APP_FILES_MAX);
    struct app_file *file = &files->items[files->count++];
    file->type = type_of(name);
    file->name = strdup(name);
    if (file->name == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_set_at(error, STATUS_IO, name, 0, "%s", strerror(errno));
    enum status status = read_whole(fd, file, error);
    (void)close(fd);
    if (status != STATUS_OK)
        return status;
    if (gzip_pack(file->data, file->length, &file->packed, &file->packed_length) !=
        STATUS_OK)
        return error_set(error, STATUS_NOMEM, "out of memory");
    digest_hex(&key, file->data, file->length, hex);
    (void)snprintf(file->etag, sizeof file->etag, "\"%s\"", hex);
    return STATUS_OK;
}

/* Into files, which is empty. */
static enum status read_folder(const char *folder, struct app_files *files,
                               struct error *error)
{
    enum status status = STATUS_OK;
    const struct dirent *entry;
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return error_set_at(error, STATUS_IO, folder, 0, "%s", strerror(errno));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
    while (status == STATUS_OK && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] != '.' && type_of(entry->d_name) != NULL)
            status = read_file(dirfd(stream), entry->d_name, files, error);
    }
    (void)closedir(stream);
    if (status == STATUS_OK && app_files_find(files, "/") == NULL)
        status = error_set_at(error, STATUS_NOT_FOUND, folder, 0, "has no " INDEX);
    return status;
}

enum status app_files_load(const char *folder, struct app_files **out,
                           struct error *error)
{
    struct app_files *files = calloc(1, sizeof *files);
    if (files == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    enum status status = read_folder(folder, files, error);
    if (status == STATUS_OK)
        *out = files;
    else
        app_files_free(files);
    return status;
}

void app_files_free(struct app_files *files)
{
    if (files == NULL)
        return;
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].name);
        free(files->items[i].data);
        free(files->items[i].packed);
    }
    free(files);
}

const struct app_file *app_files_find(const struct app_files *files, const char *path)
{
    if (path[0] != '/')
        return NULL;
    const char *name = path[1] == '\0' ? INDEX : path + 1;
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i].name, name) == 0)
            return &files->items[i];
    }
    return NULL;
}
