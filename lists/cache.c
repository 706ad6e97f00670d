/* A head with version and checksum, then records of numbers in text and strings of known
 * length. A damaged or foreign file fails the checksum; every field is checked all the
 * same. */
#include "lists/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/durable.h"
#include "lists/file.h"

/* What a record says of its entry. Version 2 had no kept members: those of a shrunk entry
 * stood in place of its own. */
enum { ENTRY_READ, ENTRY_FAILED, ENTRY_ABSENT, ENTRY_SHRUNK_2 = ENTRY_ABSENT };

static const char head[] = "mailbrake-members 3 ";
static const char head_2[] = "mailbrake-members 2 ";
enum { HEAD_LENGTH = sizeof head - 1, BODY_AT = HEAD_LENGTH + DIGEST_HEX_SIZE };
#define CACHE_BYTES_MAX                                                                  \
    ((size_t)(SIZE_MAX / 2 < UINT64_C(4) << 30 ? SIZE_MAX / 2 : UINT64_C(4) << 30))

/* The key is not secret: it must only stay the same. */
static const struct digest_key checksum_key;

static const char *identity_of(const struct list_source *source)
{
    return source->identity != NULL ? source->identity : source->path;
}

void cache_name(const struct list_source *source, char out[CACHE_NAME_SIZE])
{
    char hex[DIGEST_HEX_SIZE];
    struct digest_key kind_key = {.bytes = {(uint8_t)source->kind}};
    const char *identity = identity_of(source);
    digest_hex(&kind_key, identity, strlen(identity), hex);
    (void)snprintf(out, CACHE_NAME_SIZE, "%s%s", hex, CACHE_SUFFIX);
}

enum status cache_pack(const struct list_source *source, const struct entries *entries,
                       struct cache *out)
{
    struct cache cache = {0};
    struct text *content = &cache.content;
    const char *identity = identity_of(source);
    text_printf(content, "%s%0*d\n", head, DIGEST_HEX_SIZE - 1, 0);
    text_printf(content, "%d %zu %zu\n%s\n", (int)source->kind, strlen(identity),
                entries->count, identity);
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = &entries->items[i];
        const char *key = entries_key(entries, i);
        int how = entry->absent   ? ENTRY_ABSENT
                  : entry->failed ? ENTRY_FAILED
                                  : ENTRY_READ;
        text_printf(content, "%d %d %d %" PRId64 " %zu %zu %zu %zu\n", entry->line,
                    entry->always_list, how, entry->read_at_ms, entry->accepted_count,
                    strlen(key), entry->members.text.length, entry->kept.text.length);
        text_add_string(content, key);
        text_add(content, text_string(&entry->members.text), entry->members.text.length);
        text_add(content, text_string(&entry->kept.text), entry->kept.text.length);
        text_add(content, "\n", 1);
    }
    if (content->failed) {
        cache_clear(&cache);
        return STATUS_NOMEM;
    }
    digest_hex(&checksum_key, content->data + BODY_AT, content->length - BODY_AT,
               cache.checksum);
    memcpy(content->data + HEAD_LENGTH, cache.checksum, DIGEST_HEX_SIZE - 1);
    *out = cache;
    return STATUS_OK;
}

void cache_clear(struct cache *cache)
{
    text_clear(&cache->content);
}

/* ---- writing ---- */

static void times_of(int64_t read_at_ms, struct timespec out[2])
{
    out[0] = out[1] = clock_timespec(read_at_ms * 1000);
}

enum status cache_write(const struct cache *cache, const char *path, int64_t read_at_ms,
                        struct error *error)
{
    char *temporary;
    if (asprintf(&temporary, "%s%s", path, CACHE_TEMPORARY) < 0)
        return error_set(error, STATUS_NOMEM, "out of memory");
    enum status status = durable_replace(path, temporary, cache->content.data,
                                         cache->content.length, error);
    free(temporary);
    if (status == STATUS_OK && cache_touch(path, read_at_ms) != STATUS_OK)
        status = error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
    return status;
}

enum status cache_touch(const char *path, int64_t read_at_ms)
{
    struct timespec times[2];
    times_of(read_at_ms, times);
    return utimensat(AT_FDCWD, path, times, 0) == 0 ? STATUS_OK : STATUS_NOT_FOUND;
}

/* ---- reading ---- */

struct cache_reader {
    const char *at; /* the text ends with a NUL */
    const char *end;
    bool broken;
    bool version_2;
};

/* Reads a number and the one character after it. */
static int64_t take_number(struct cache_reader *reader, int64_t max)
{
    int64_t number;
    if (reader->broken || !text_take_number(&reader->at, &number) ||
        reader->at >= reader->end || number > max) {
        reader->broken = true;
        return 0;
    }
    reader->at++;
    return number;
}

static const char *take_bytes(struct cache_reader *reader, size_t length)
{
    const char *bytes = reader->at;
    if (reader->broken || length > (size_t)(reader->end - reader->at)) {
        reader->broken = true;
        return NULL;
    }
    reader->at += length;
    return bytes;
}

/* What is read of an entry before its texts. */
struct entry_head {
    struct entry entry;
    size_t key_length, length, kept_length;
};

static struct entry_head take_head(struct cache_reader *reader)
{
    struct entry_head out = {.entry.line = (int)take_number(reader, INT_MAX)};
    struct entry *entry = &out.entry;
    entry->always_list = take_number(reader, 1) != 0;
    int64_t how = take_number(reader, ENTRY_ABSENT);
    entry->failed = how == ENTRY_FAILED;
    entry->read_at_ms = take_number(reader, INT64_MAX);
    if (!reader->version_2) {
        entry->absent = how == ENTRY_ABSENT;
        entry->accepted_count = (size_t)take_number(reader, INT64_MAX);
    }
    out.key_length = (size_t)take_number(reader, INT_MAX);
    out.length = (size_t)take_number(reader, (int64_t)(SIZE_MAX / 2));
    if (!reader->version_2) {
        out.kept_length = (size_t)take_number(reader, (int64_t)(SIZE_MAX / 2));
    } else if (how == ENTRY_SHRUNK_2) {
        out.kept_length = out.length;
        out.length = 0;
    }
    return out;
}

static enum status take_entry(struct cache_reader *reader, struct entries *entries)
{
    struct entry_head read = take_head(reader);
    const char *key = take_bytes(reader, read.key_length);
    const char *members = take_bytes(reader, read.length);
    const char *kept = take_bytes(reader, read.kept_length);
    if (take_bytes(reader, 1) == NULL)
        return STATUS_INVALID;

    struct entry *entry;
    enum status status = entries_open(entries, key, read.key_length, &entry);
    if (status == STATUS_OK && entry->settled_bytes + (size_t)entry->line > 0)
        status = STATUS_INVALID; /* a key twice */
    if (status == STATUS_OK)
        status = member_list_unpack(&read.entry.members, members, read.length);
    if (status == STATUS_OK)
        status = member_list_unpack(&read.entry.kept, kept, read.kept_length);
    if (status != STATUS_OK) {
        member_list_clear(&read.entry.members);
        return status;
    }
    *entry = read.entry;
    return entries_settle(entries, entry);
}

static enum status unpack(const struct file *file, const struct list_source *source,
                          struct cache_found *out)
{
    bool version_2 =
        file->length > BODY_AT && memcmp(file->data, head_2, HEAD_LENGTH) == 0;
    if (file->length <= BODY_AT || file->data[BODY_AT - 1] != '\n' ||
        (!version_2 && memcmp(file->data, head, HEAD_LENGTH) != 0))
        return STATUS_INVALID;
    digest_hex(&checksum_key, file->data + BODY_AT, file->length - BODY_AT,
               out->checksum);
    if (memcmp(out->checksum, file->data + HEAD_LENGTH, DIGEST_HEX_SIZE - 1) != 0)
        return STATUS_INVALID;

    struct cache_reader reader = {.at = file->data + BODY_AT,
                                  .end = file->data + file->length,
                                  .version_2 = version_2};
    int64_t kind = take_number(&reader, INT_MAX);
    size_t path_length = (size_t)take_number(&reader, INT_MAX);
    int64_t count = take_number(&reader, ENTRIES_MAX);
    const char *path = take_bytes(&reader, path_length);
    const char *identity = identity_of(source);
    if (take_bytes(&reader, 1) == NULL || kind != (int64_t)source->kind ||
        path_length != strlen(identity) || memcmp(path, identity, path_length) != 0)
        return STATUS_INVALID;
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < count && status == STATUS_OK; i++)
        status = take_entry(&reader, &out->entries);
    return status;
}

enum status cache_read(const char *path, const struct list_source *source,
                       struct cache_found *out, struct error *error)
{
    struct file file = {0};
    struct cache_found found = {0};
    struct stat seen;
    if (stat(path, &seen) != 0)
        return errno == ENOENT
                   ? STATUS_NOT_FOUND
                   : error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
    enum status status = file_read(path, CACHE_BYTES_MAX, &file, error);
    if (status != STATUS_OK)
        return status;
    status = unpack(&file, source, &found);
    file_clear(&file);
    if (status != STATUS_OK) {
        entries_clear(&found.entries);
        return error_set_at(error, status, path, 0, "%s",
                            status == STATUS_NOMEM
                                ? "out of memory"
                                : "is incomplete, or of another version");
    }
    found.read_at_ms =
        (int64_t)seen.st_mtim.tv_sec * 1000 + seen.st_mtim.tv_nsec / 1000000;
    *out = found;
    return STATUS_OK;
}
