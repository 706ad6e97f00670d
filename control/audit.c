/* One write(2) and one fsync(2) for each line, under a lock of this process. A line that
 * could not be written whole is removed, so that a full disk leaves no partial line. An
 * action that changes something has a line before it and one after it; if the process is
 * killed in between, only the first is there. */
#include "control/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/text.h"
#include "base/utf8.h"

/* Reserved after a first line: for its second one, and those of concurrent actions. */
enum { ROOM_BYTES = 64 * 1024 };

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

/* The result; false without memory. */
static bool add_outcome(json_t *json, const struct audit_entry *entry)
{
    if (entry->via != NULL &&
        json_object_set_new(json, "via", clean_string(entry->via)) != 0)
        return false;
    if (entry->relay != NULL &&
        json_object_set_new(json, "relay", clean_string(entry->relay)) != 0)
        return false;
    if (entry->ids != NULL &&
        json_object_set_new(json, "ids", json_deep_copy(entry->ids)) != 0)
        return false;
    if (entry->failed != NULL &&
        json_object_set_new(json, "failed", json_deep_copy(entry->failed)) != 0)
        return false;
    return entry->result == NULL ||
           json_object_set_new(json, "result", clean_string(entry->result)) == 0;
}

/* phase: "begin" or "end", with the id that both lines share; or NULL. The line with its
 * newline, for free(3); NULL without memory. */
static char *format_entry(const struct audit_entry *entry, const char *phase,
                          const char *id)
{
    char at[INSTANT_SIZE];
    char *line = NULL;
    instant_format_ms(entry->at_ms, at);
    json_t *json = json_pack(
        "{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "at", at, "at_ms",
        (json_int_t)entry->at_ms, "uid",
        entry->uid == AUDIT_NO_UID ? json_null() : json_integer((json_int_t)entry->uid),
        "user", clean_string(entry->user), "action", clean_string(entry->action),
        "target", clean_string(entry->target), "purpose", clean_string(entry->purpose));
    bool whole =
        json != NULL && add_outcome(json, entry) &&
        (phase == NULL || json_object_set_new(json, phase, json_string(id)) == 0);
    char *bare = whole ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(json);
    if (bare != NULL && asprintf(&line, "%s\n", bare) < 0)
        line = NULL;
    free(bare);
    return line;
}

/* Reserves disk space past the end of the file, whose size stays. A file system without
 * fallocate(2) is trusted to have it. */
static bool reserve(int fd, off_t size, size_t room)
{
    return room == 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, size, (off_t)room) == 0 ||
           errno == EOPNOTSUPP || errno == ENOSYS;
}

/* Under the lock. */
static enum status write_line(const char *path, int fd, const char *line, size_t room,
                              struct error *error)
{
    struct stat before;
    size_t length = strlen(line);
    if (fstat(fd, &before) != 0 ||
        !reserve(fd, before.st_size, room == 0 ? 0 : length + room))
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

static enum status append_line(struct audit *audit, const char *line, size_t room,
                               struct error *error)
{
    (void)pthread_mutex_lock(&audit->mutex);
    int fd = open(audit->path,
                  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW,
                  S_IRUSR | S_IWUSR);
    enum status status =
        fd < 0 ? error_set_at(error, STATUS_IO, audit->path, 0, "%s", strerror(errno))
               : write_line(audit->path, fd, line, room, error);
    if (fd >= 0)
        (void)close(fd);
    (void)pthread_mutex_unlock(&audit->mutex);
    return status;
}

static enum status append(struct audit *audit, const struct audit_entry *entry,
                          const char *phase, const char *id, size_t room,
                          struct error *error)
{
    if (audit->path == NULL)
        return STATUS_OK;
    char *line = format_entry(entry, phase, id);
    enum status status = line == NULL ? error_set(error, STATUS_NOMEM, "out of memory")
                                      : append_line(audit, line, room, error);
    free(line);
    return status;
}

enum status audit_append(struct audit *audit, const struct audit_entry *entry,
                         struct error *error)
{
    return append(audit, entry, NULL, NULL, 0, error);
}

enum status audit_begin(struct audit *audit, const struct audit_entry *entry,
                        char out_id[DIGEST_ID_SIZE], struct error *error)
{
    struct audit_entry begun = *entry;
    begun.result = NULL;
    digest_random_id(out_id);
    return append(audit, &begun, "begin", out_id, ROOM_BYTES, error);
}

enum status audit_end(struct audit *audit, const char *id,
                      const struct audit_entry *entry, struct error *error)
{
    return append(audit, entry, "end", id, 0, error);
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

/* ---- reading ---- */

/* The end of the file, NUL-terminated, for free(3). */
static enum status read_tail(const char *path, char **out, struct error *error)
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
    off_t start =
        about.st_size > AUDIT_READ_BYTES_MAX ? about.st_size - AUDIT_READ_BYTES_MAX : 0;
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

static bool is_since(const json_t *entry, int64_t since_ms)
{
    const json_t *at = json_object_get(entry, "at_ms");
    return json_is_integer(at) && json_integer_value(at) >= since_ms;
}

/* A line cut off at either end of what was read is not valid JSON, and skipped. ended
 * gets the ids of all second lines. */
static enum status take_lines(char *data, int64_t since_ms, json_t *entries,
                              json_t *ended)
{
    char *rest = NULL;
    for (char *line = strtok_r(data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        json_t *entry = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!is_since(entry, since_ms)) {
            json_decref(entry);
            continue;
        }
        const char *end = json_string_value(json_object_get(entry, "end"));
        if ((end != NULL && json_object_set_new(ended, end, json_true()) != 0) ||
            json_array_append(entries, entry) != 0) {
            json_decref(entry);
            return STATUS_NOMEM;
        }
        json_decref(entry);
    }
    return STATUS_OK;
}

/* Adds an entry to the answer: a first line only if it has no second one. */
static enum status show(json_t *entry, const json_t *ended, json_t *out)
{
    const char *begin = json_string_value(json_object_get(entry, "begin"));
    if (begin != NULL && json_object_get(ended, begin) != NULL)
        return STATUS_OK;
    if (begin != NULL &&
        json_object_set_new(entry, "result", json_string(AUDIT_NOT_ENDED)) != 0)
        return STATUS_NOMEM;
    (void)json_object_del(entry, "begin");
    (void)json_object_del(entry, "end");
    return json_array_append(out, entry) == 0 ? STATUS_OK : STATUS_NOMEM;
}

/* Keeps the newest AUDIT_READ_MAX. */
static void cut(json_t *entries)
{
    json_t *newest = json_array();
    size_t count = json_array_size(entries);
    for (size_t i = count - AUDIT_READ_MAX; i < count; i++)
        (void)json_array_append(newest, json_array_get(entries, i));
    (void)json_array_clear(entries);
    (void)json_array_extend(entries, newest);
    json_decref(newest);
}

static enum status read_entries(char *data, int64_t since_ms, json_t *out)
{
    json_t *lines = json_array();
    json_t *ended = json_object();
    enum status status = lines == NULL || ended == NULL
                             ? STATUS_NOMEM
                             : take_lines(data, since_ms, lines, ended);
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(lines); i++)
        status = show(json_array_get(lines, i), ended, out);
    json_decref(lines);
    json_decref(ended);
    if (status == STATUS_OK && json_array_size(out) > AUDIT_READ_MAX)
        cut(out);
    return status;
}

enum status audit_read(struct audit *audit, int64_t since_ms, json_t **out,
                       struct error *error)
{
    char *data = NULL;
    if (audit->path != NULL) {
        enum status status = read_tail(audit->path, &data, error);
        if (status != STATUS_OK)
            return status;
    }
    json_t *entries = json_array();
    enum status status = entries == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK && data != NULL)
        status = read_entries(data, since_ms, entries);
    free(data);
    if (status != STATUS_OK) {
        json_decref(entries);
        return error_set(error, status, "out of memory");
    }
    *out = entries;
    return STATUS_OK;
}
