/* One write(2) and one fsync(2) an entry, under a lock of this process; what could not be
 * written whole is taken back, so that a full disk leaves no half line. What is announced
 * is a file of its own until it is the entry: of a process that is killed, one of the two
 * is there. */
#include "control/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/durable.h"
#include "base/text.h"
#include "base/utf8.h"

enum {
    INSTANT_SIZE = 40,
    ROOM_BYTES = 64 * 1024,      /* beside an entry's own length, for others at work */
    ANNOUNCED_MAX = 1024 * 1024, /* bytes of one, when it is read again */
};

#define BEGUN ".begun-"
#define HALF ".new-" /* on its way to be one */

struct audit {
    char *path; /* NULL: nothing is kept */
    pthread_mutex_t mutex;
};

static json_t *clean_string(const char *string)
{
    struct text clean = {0};
    utf8_add(&clean, string, strnlen(string, AUDIT_TEXT_MAX));
    json_t *json = clean.failed ? NULL : json_stringn(text_string(&clean), clean.length);
    text_clear(&clean);
    return json;
}

/* UTC, ISO 8601, to the millisecond. */
static void format_instant(int64_t at_ms, char out[INSTANT_SIZE])
{
    struct tm parts;
    char seconds[24] = "";
    time_t at = (time_t)(at_ms / 1000);
    if (gmtime_r(&at, &parts) != NULL)
        (void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out, INSTANT_SIZE, "%s.%03dZ", seconds, (int)(at_ms % 1000));
}

/* The result comes last: what stands before "ids" and "result" is the same when something
 * is announced and when it has ended. False without memory. */
static bool add_outcome(json_t *json, const struct audit_entry *entry)
{
    if (entry->ids != NULL &&
        json_object_set_new(json, "ids", json_deep_copy(entry->ids)) != 0)
        return false;
    if (entry->failed != NULL &&
        json_object_set_new(json, "failed", json_deep_copy(entry->failed)) != 0)
        return false;
    return json_object_set_new(json, "result", clean_string(entry->result)) == 0;
}

/* The line with its newline, for free(3); NULL without memory. */
static char *format_entry(const struct audit_entry *entry)
{
    char at[INSTANT_SIZE];
    char *line = NULL;
    format_instant(entry->at_ms, at);
    json_t *json = json_pack(
        "{s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "at", at, "at_ms",
        (json_int_t)entry->at_ms, "uid", (json_int_t)entry->uid, "user",
        clean_string(entry->user), "action", clean_string(entry->action), "target",
        clean_string(entry->target), "purpose", clean_string(entry->purpose));
    bool whole = json != NULL && add_outcome(json, entry);
    char *bare = whole ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(json);
    if (bare != NULL && asprintf(&line, "%s\n", bare) < 0)
        line = NULL;
    free(bare);
    return line;
}

/* Under the lock. */
static enum status write_line(const char *path, int fd, const char *line,
                              struct error *error)
{
    struct stat before;
    size_t length = strlen(line);
    if (fstat(fd, &before) != 0)
        return error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
    ssize_t written = write(fd, line, length);
    int failure = written < 0 ? errno : ENOSPC; /* what a short write means */
    if (written == (ssize_t)length && fsync(fd) == 0)
        return STATUS_OK;
    if (written == (ssize_t)length)
        failure = errno;
    if (ftruncate(fd, before.st_size) != 0)
        failure = errno;
    return error_set_at(error, STATUS_IO, path, 0, "%s", strerror(failure));
}

/* The descriptor, or -1 with the error. */
static int open_file(const struct audit *audit, struct error *error)
{
    int fd = open(audit->path,
                  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW,
                  S_IRUSR | S_IWUSR);
    if (fd < 0)
        (void)error_set_at(error, STATUS_IO, audit->path, 0, "%s", strerror(errno));
    return fd;
}

static enum status append_line(struct audit *audit, const char *line, struct error *error)
{
    enum status status = STATUS_IO;
    (void)pthread_mutex_lock(&audit->mutex);
    int fd = open_file(audit, error);
    if (fd >= 0) {
        status = write_line(audit->path, fd, line, error);
        (void)close(fd);
    }
    (void)pthread_mutex_unlock(&audit->mutex);
    return status;
}

enum status audit_append(struct audit *audit, const struct audit_entry *entry,
                         struct error *error)
{
    if (audit->path == NULL)
        return STATUS_OK;
    char *line = format_entry(entry);
    if (line == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    enum status status = append_line(audit, line, error);
    free(line);
    return status;
}

/* ---- what is announced ---- */

/* Blocks behind the end of the file, which stays as long as it is. Where the file system
 * knows no such thing, that it can be opened must do. */
static enum status reserve(struct audit *audit, size_t length, struct error *error)
{
    struct stat about;
    int failure = 0;
    (void)pthread_mutex_lock(&audit->mutex);
    int fd = open_file(audit, error);
    if (fd >= 0) {
        if (fstat(fd, &about) != 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, about.st_size,
                                                (off_t)(length + ROOM_BYTES)) != 0)
            failure = errno;
        (void)close(fd);
    }
    (void)pthread_mutex_unlock(&audit->mutex);
    if (fd < 0)
        return STATUS_IO;
    return failure == 0 || failure == EOPNOTSUPP || failure == ENOSYS
               ? STATUS_OK
               : error_set_at(error, STATUS_IO, audit->path, 0, "%s", strerror(failure));
}

/* "<path>.begun-<mark>", for free(3); NULL without memory. */
static char *announced_path(const struct audit *audit, const char *mark)
{
    char *path = NULL;
    return asprintf(&path, "%s" BEGUN "%s", audit->path, mark) < 0 ? NULL : path;
}

static enum status announce(struct audit *audit, const char *mark, const char *line,
                            struct error *error)
{
    char *temporary = NULL;
    char *path = announced_path(audit, mark);
    if (asprintf(&temporary, "%s" HALF "%s", audit->path, mark) < 0)
        temporary = NULL;
    enum status status = path == NULL || temporary == NULL
                             ? error_set(error, STATUS_NOMEM, "out of memory")
                             : reserve(audit, strlen(line), error);
    if (status == STATUS_OK) {
        status = durable_replace(path, temporary, line, strlen(line), error);
        if (status != STATUS_OK) /* no need to know of the other files */
            (void)snprintf(error->file, sizeof error->file, "%s", audit->path);
    }
    free(temporary);
    free(path);
    return status;
}

enum status audit_announce(struct audit *audit, const struct audit_entry *entry,
                           char out_mark[AUDIT_MARK_SIZE], struct error *error)
{
    char mark[DIGEST_ID_SIZE];
    struct audit_entry announced = *entry;
    announced.result = AUDIT_INTERRUPTED;
    digest_random_id(mark);
    if (audit->path != NULL) {
        char *line = format_entry(&announced);
        enum status status = line == NULL
                                 ? error_set(error, STATUS_NOMEM, "out of memory")
                                 : announce(audit, mark, line, error);
        free(line);
        if (status != STATUS_OK)
            return status;
    }
    memcpy(out_mark, mark, AUDIT_MARK_SIZE);
    return STATUS_OK;
}

enum status audit_conclude(struct audit *audit, const char *mark,
                           const struct audit_entry *entry, struct error *error)
{
    enum status status = audit_append(audit, entry, error);
    if (status != STATUS_OK || audit->path == NULL)
        return status;
    char *path = announced_path(audit, mark);
    if (path != NULL)
        (void)unlink(path); /* what stays is found to be entered already */
    free(path);
    return STATUS_OK;
}

/* ---- reading ---- */

/* The end of a file, at most so many bytes of it, NUL-terminated, for free(3). */
static enum status read_tail(const char *path, off_t max, char **out, struct error *error)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        *out = strdup("");
        return *out == NULL ? error_set(error, STATUS_NOMEM, "out of memory") : STATUS_OK;
    }
    if (fd < 0 || fstat(fd, &about) != 0) {
        enum status status =
            error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return status;
    }
    off_t start = about.st_size > max ? about.st_size - max : 0;
    size_t size = (size_t)(about.st_size - start);
    size_t have = 0;
    char *data = malloc(size + 1);
    ssize_t more = 1;
    while (data != NULL && have < size && more > 0) {
        more = pread(fd, data + have, size - have, start + (off_t)have);
        if (more > 0)
            have += (size_t)more;
    }
    (void)close(fd);
    if (data == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    data[have] = '\0';
    *out = data;
    return STATUS_OK;
}

/* ---- what a process before us announced ---- */

/* True when the file has an entry for the same action: it was written, and the process
 * killed before the announcement was gone. */
static bool is_entered(const char *entries, char *line)
{
    char *end = strstr(line, ",\"ids\":");
    if (end == NULL)
        end = strstr(line, ",\"result\":");
    if (end == NULL)
        return true; /* none of ours */
    char kept = *end;
    *end = '\0';
    bool found = strstr(entries, line) != NULL;
    *end = kept;
    return found;
}

static void adopt(struct audit *audit, const char *path)
{
    struct error error;
    char *line = NULL;
    char *entries = NULL;
    enum status status = read_tail(path, ANNOUNCED_MAX, &line, &error);
    if (status == STATUS_OK)
        status = read_tail(audit->path, AUDIT_READ_BYTES_MAX, &entries, &error);
    if (status == STATUS_OK && !is_entered(entries, line))
        status = append_line(audit, line, &error);
    if (status == STATUS_OK)
        (void)unlink(path); /* else the next start tries again */
    free(entries);
    free(line);
}

/* In the folder of the file: "audit.log.begun-...". What was never announced whole was
 * never done. */
static void adopt_all(struct audit *audit)
{
    char *path = NULL;
    const struct dirent *found;
    const char *slash = strrchr(audit->path, '/');
    const char *name = slash == NULL ? audit->path : slash + 1;
    int before = (int)(name - audit->path);
    if (asprintf(&path, "%.*s.", before, audit->path) < 0)
        return;
    DIR *folder = opendir(path);
    free(path);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a folder of its own */
    while (folder != NULL && (found = readdir(folder)) != NULL) {
        const char *rest = text_after(found->d_name, name);
        bool begun = rest != NULL && text_after(rest, BEGUN) != NULL;
        bool half = rest != NULL && text_after(rest, HALF) != NULL;
        if (!(begun || half) ||
            asprintf(&path, "%.*s%s", before, audit->path, found->d_name) < 0)
            continue;
        if (begun)
            adopt(audit, path);
        else
            (void)unlink(path);
        free(path);
    }
    if (folder != NULL)
        (void)closedir(folder);
}

struct audit *audit_new(const char *path)
{
    struct audit *audit = calloc(1, sizeof *audit);
    if (audit == NULL)
        return NULL;
    audit->path = path == NULL ? NULL : strdup(path);
    if ((path != NULL && audit->path == NULL) ||
        pthread_mutex_init(&audit->mutex, NULL) != 0) {
        free(audit->path);
        free(audit);
        return NULL;
    }
    if (audit->path != NULL)
        adopt_all(audit);
    return audit;
}

void audit_free(struct audit *audit)
{
    if (audit == NULL)
        return;
    (void)pthread_mutex_destroy(&audit->mutex);
    free(audit->path);
    free(audit);
}

static bool is_since(const json_t *entry, int64_t since_ms)
{
    const json_t *at = json_object_get(entry, "at_ms");
    return json_is_integer(at) && json_integer_value(at) >= since_ms;
}

/* A line that was cut off, at either end of what was read, is no JSON. */
static enum status take_lines(char *data, int64_t since_ms, json_t *entries)
{
    char *rest = NULL;
    for (char *line = strtok_r(data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        json_t *entry = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!is_since(entry, since_ms)) {
            json_decref(entry);
            continue;
        }
        if (json_array_append_new(entries, entry) != 0)
            return STATUS_NOMEM;
    }
    return STATUS_OK;
}

/* The newest of them. */
static json_t *cut(json_t *entries)
{
    size_t count = json_array_size(entries);
    if (count <= AUDIT_READ_MAX)
        return entries;
    json_t *newest = json_array();
    for (size_t i = count - AUDIT_READ_MAX; i < count; i++)
        (void)json_array_append(newest, json_array_get(entries, i));
    json_decref(entries);
    return newest;
}

enum status audit_read(struct audit *audit, int64_t since_ms, json_t **out,
                       struct error *error)
{
    char *data = NULL;
    if (audit->path != NULL) {
        enum status status = read_tail(audit->path, AUDIT_READ_BYTES_MAX, &data, error);
        if (status != STATUS_OK)
            return status;
    }
    json_t *entries = json_array();
    enum status status = entries == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK && data != NULL)
        status = take_lines(data, since_ms, entries);
    free(data);
    if (status == STATUS_OK) {
        entries = cut(entries);
        status = entries == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    if (status != STATUS_OK) {
        json_decref(entries);
        return error_set(error, status, "out of memory");
    }
    *out = entries;
    return STATUS_OK;
}
