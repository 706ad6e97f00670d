/* A line with a checksum over the rest, then a line of numbers and the address for each
 * record. There are two such files, since no other place says what was not accepted. */
#include "lists/jumps_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/durable.h"
#include "base/text.h"
#include "lists/file.h"

#define NAME "sizes"
#define COPY ".copy"

static const char head[] = "mailbrake-sizes 1 ";
enum { HEAD_LENGTH = sizeof head - 1, BODY_AT = HEAD_LENGTH + DIGEST_HEX_SIZE };

/* The key is not secret: it must only stay the same. */
static const struct digest_key checksum_key;

enum status jump_records_open(struct jump_records *records, const char *address,
                              size_t length, uint32_t *out)
{
    uint32_t id;
    if (records->addresses == NULL && (records->addresses = intern_new()) == NULL)
        return STATUS_NOMEM;
    if (!array_reserve(&records->items, records->count, sizeof *records->items))
        return STATUS_NOMEM;
    enum status status = intern_add(records->addresses, address, length, &id);
    if (status != STATUS_OK)
        return status;
    if (id == records->count)
        records->items[records->count++] = (struct jump_record){0};
    *out = id;
    return STATUS_OK;
}

void jump_records_clear(struct jump_records *records)
{
    intern_free(records->addresses);
    free(records->items);
    *records = (struct jump_records){0};
}

void jump_records_compact(struct jump_records *records)
{
    struct jump_records kept = {0};
    for (uint32_t i = 0; i < records->count; i++) {
        const char *address = intern_string(records->addresses, i);
        uint32_t at;
        if (records->items[i].forgotten)
            continue;
        if (jump_records_open(&kept, address, strlen(address), &at) != STATUS_OK) {
            jump_records_clear(&kept);
            return;
        }
        kept.items[at] = records->items[i];
    }
    memcpy(kept.checksum, records->checksum, sizeof kept.checksum);
    jump_records_clear(records);
    *records = kept;
}

/* ---- reading ---- */

/* Reads numbers, each with a blank behind it. */
static bool take_numbers(const char **at, int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!text_take_number(at, &numbers[i]) || **at != ' ')
            return false;
        ++*at;
    }
    return true;
}

/* was, size, state, notified, gone, length of the address, address. */
static enum status take_record(const char **at, const char *end,
                               struct jump_records *records)
{
    int64_t numbers[6];
    uint32_t id;
    if (!take_numbers(at, numbers, 6) || numbers[2] > JUMP_SHRUNK || numbers[5] == 0 ||
        numbers[5] >= end - *at || (*at)[numbers[5]] != '\n')
        return STATUS_INVALID;
    enum status status = jump_records_open(records, *at, (size_t)numbers[5], &id);
    if (status != STATUS_OK)
        return status;
    records->items[id] = (struct jump_record){.known = true,
                                              .was = (uint64_t)numbers[0],
                                              .size = (uint64_t)numbers[1],
                                              .state = (enum jump_state)numbers[2],
                                              .notified = numbers[3],
                                              .gone_ms = numbers[4]};
    *at += numbers[5] + 1;
    return STATUS_OK;
}

static enum status unpack(const struct file *file, struct jump_records *records)
{
    char checksum[DIGEST_HEX_SIZE];
    if (file->length < BODY_AT || memcmp(file->data, head, HEAD_LENGTH) != 0 ||
        file->data[BODY_AT - 1] != '\n')
        return STATUS_INVALID;
    digest_hex(&checksum_key, file->data + BODY_AT, file->length - BODY_AT, checksum);
    if (memcmp(checksum, file->data + HEAD_LENGTH, DIGEST_HEX_SIZE - 1) != 0)
        return STATUS_INVALID;
    const char *at = file->data + BODY_AT;
    const char *end = file->data + file->length;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && at < end)
        status = take_record(&at, end, records);
    memcpy(records->checksum, checksum, sizeof checksum);
    return status;
}

static char *path_of(const char *folder, const char *more)
{
    char *path;
    return asprintf(&path, "%s/" NAME "%s", folder, more) < 0 ? NULL : path;
}

static enum status read_one(const char *folder, const char *more,
                            struct jump_records *records, struct error *error)
{
    struct stat seen;
    struct file file = {0};
    char *path = path_of(folder, more);
    if (path == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    enum status status = stat(path, &seen) != 0 && errno == ENOENT
                             ? STATUS_NOT_FOUND
                             : file_read(path, FILE_BYTES_MAX, &file, error);
    if (status == STATUS_NOT_FOUND)
        (void)error_set_at(error, status, path, 0, "is gone");
    if (status == STATUS_OK) {
        status = unpack(&file, records);
        if (status != STATUS_OK) {
            jump_records_clear(records);
            (void)error_set_at(error, status, path, 0, "%s",
                               status == STATUS_NOMEM
                                   ? "out of memory"
                                   : "is incomplete, or of another version");
        }
    }
    file_clear(&file);
    free(path);
    return status;
}

enum status jumps_file_read(const char *folder, struct jump_records *records,
                            struct error *error)
{
    struct error of_copy;
    enum status status = read_one(folder, "", records, error);
    if (status == STATUS_OK || status == STATUS_NOMEM)
        return status;
    enum status copy = read_one(folder, COPY, records, &of_copy);
    records->checksum[0] = '\0'; /* then both are written anew */
    if (copy == STATUS_OK || copy == STATUS_NOMEM)
        return copy;
    if (status == STATUS_NOT_FOUND && copy == STATUS_NOT_FOUND)
        *error = (struct error){0};
    return status == STATUS_NOT_FOUND ? copy : status;
}

/* ---- writing ---- */

static void pack(const struct jump_records *records, struct text *out)
{
    text_printf(out, "%s%0*d\n", head, DIGEST_HEX_SIZE - 1, 0);
    for (uint32_t i = 0; i < records->count; i++) {
        const struct jump_record *record = &records->items[i];
        const char *address = intern_string(records->addresses, i);
        if (record->known)
            text_printf(out,
                        "%" PRIu64 " %" PRIu64 " %d %" PRId64 " %" PRId64 " %zu %s\n",
                        record->was, record->size, (int)record->state, record->notified,
                        record->gone_ms, strlen(address), address);
    }
}

static bool is_there(const char *folder, const char *more)
{
    char *path = path_of(folder, more);
    bool there = path != NULL && access(path, F_OK) == 0;
    free(path);
    return there;
}

static enum status write_one(const char *folder, const char *more,
                             const struct text *content, struct error *error)
{
    char *path = path_of(folder, more);
    char *temporary = path_of(folder, ".new");
    enum status status =
        path == NULL || temporary == NULL
            ? error_set(error, STATUS_NOMEM, "out of memory")
            : durable_replace(path, temporary, content->data, content->length, error);
    free(temporary);
    free(path);
    return status;
}

enum status jumps_file_write(const char *folder, struct jump_records *records,
                             struct error *error)
{
    char checksum[DIGEST_HEX_SIZE];
    struct text content = {0};
    enum status status = STATUS_OK;
    pack(records, &content);
    if (content.failed) {
        text_clear(&content);
        return error_set(error, STATUS_NOMEM, "out of memory");
    }
    digest_hex(&checksum_key, content.data + BODY_AT, content.length - BODY_AT, checksum);
    if (strcmp(checksum, records->checksum) == 0 && is_there(folder, "") &&
        is_there(folder, COPY))
        goto out;
    memcpy(content.data + HEAD_LENGTH, checksum, DIGEST_HEX_SIZE - 1);
    if (mkdir(folder, S_IRWXU) != 0 && errno != EEXIST)
        status = error_set_at(error, STATUS_IO, folder, 0, "%s", strerror(errno));
    if (status == STATUS_OK)
        status = write_one(folder, "", &content, error);
    if (status == STATUS_OK)
        status = write_one(folder, COPY, &content, error);
    memcpy(records->checksum, status == STATUS_OK ? checksum : "",
           status == STATUS_OK ? sizeof checksum : 1);
out:
    text_clear(&content);
    return status;
}
