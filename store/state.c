/* The whole file is one text in memory, so its seal is checked before a line of it is
 * believed: some 30 MB of buckets at most, and the documents. */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/text.h"

enum {
    BATCH = 512, /* records copied under one lock */
    FIELDS = 6,  /* after the id */
    /* Twice what a full table needs, and full collections. */
    FILE_MAX = 64 * 1024 * 1024 + COLLECTIONS * (DOCUMENTS_BYTES_MAX + 2 * 1024 * 1024),
    SEAL_LENGTH = 5 + DIGEST_HEX_SIZE,
    NAME_SIZE = 16, /* of a collection */
};

static const char header[] = "mailbrake-state 2\n";
static const char old_header[] = "mailbrake-state 1\n"; /* as long */
static const char magic[] = "mailbrake-state ";
static const char document_word[] = "document ";

/* A document as the file has it. */
struct document_record {
    enum collection collection;
    char id[DOCUMENTS_ID_MAX + 1];
    char value[DOCUMENTS_VALUE_MAX + 1];
};

static void add_record(struct text *text, const struct memory_record *record)
{
    for (size_t i = 0; i < sizeof record->id.bytes; i++)
        text_printf(text, "%02x", record->id.bytes[i]);
    text_printf(text,
                " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                "\n",
                record->bucket.level, record->bucket.rest, record->bucket.stamp_ms,
                record->rate.tokens, record->rate.period_ms, record->rate.burst);
}

static void add_document(void *context, enum collection collection, const char *id,
                         const char *value)
{
    struct text *text = context;
    text_printf(text, "%s%s %zu %zu\n", document_word, collection_name(collection),
                strlen(id), strlen(value));
    text_add_string(text, id);
    text_add(text, "\n", 1);
    text_add_string(text, value);
    text_add(text, "\n", 1);
}

static void add_seal(struct text *text, const struct digest_key *key)
{
    char hash[DIGEST_HEX_SIZE];
    digest_hex(key, text_string(text), text->length, hash);
    text_printf(text, "seal %s\n", hash);
}

/* NOMEM; also what sticks to text. */
static enum status add_all(struct text *text, const struct state *state, int64_t now_ms)
{
    enum status status = STATUS_OK;
    struct memory_record *records = calloc(BATCH, sizeof *records);
    if (records == NULL)
        return STATUS_NOMEM;
    for (size_t set = 0; set < MEMORY_SETS;) {
        size_t count = memory_export(state->memory, now_ms, &set, records, BATCH);
        for (size_t i = 0; i < count; i++)
            add_record(text, &records[i]);
    }
    free(records);
    if (state->documents != NULL)
        status = documents_memory_export(state->documents, add_document, text);
    return text->failed ? STATUS_NOMEM : status;
}

enum status state_save(const struct state *state, const struct digest_key *key,
                       const char *path, int64_t now_ms, struct error *error)
{
    struct text text = {0}, temporary = {0};
    text_add_string(&text, header);
    enum status status = add_all(&text, state, now_ms);
    add_seal(&text, key);
    text_printf(&temporary, "%s.tmp", path);
    if (text.failed || temporary.failed)
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        status = durable_replace(path, text_string(&temporary), text_string(&text),
                                 text.length, error);
    else
        (void)error_set_at(error, status, path, 0, "out of memory");
    text_clear(&text);
    text_clear(&temporary);
    return status;
}

static enum status read_all(int fd, struct text *text)
{
    char block[16384];
    for (;;) {
        ssize_t count = read(fd, block, sizeof block);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return STATUS_IO;
        if (count == 0)
            return text->failed ? STATUS_NOMEM : STATUS_OK;
        if (text->length + (size_t)count > FILE_MAX) {
            errno = EFBIG;
            return STATUS_IO;
        }
        text_add(text, block, (size_t)count);
    }
}

/* *out stays empty without a file. */
static enum status read_file(const char *path, struct text *out, bool *out_exists,
                             struct error *error)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    *out_exists = fd >= 0;
    if (fd < 0)
        return errno == ENOENT
                   ? STATUS_OK
                   : error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
    enum status status = STATUS_IO;
    if (fstat(fd, &info) != 0)
        (void)error_set_at(error, status, path, 0, "%s", strerror(errno));
    else if (!S_ISREG(info.st_mode))
        (void)error_set_at(error, status, path, 0, "not a regular file");
    else if ((status = read_all(fd, out)) != STATUS_OK)
        (void)error_set_at(error, status, path, 0, "%s", strerror(errno));
    (void)close(fd);
    return status;
}

/* The text up to its seal, or 0 when that is missing or wrong. */
static size_t sealed_length(const struct text *text, const struct digest_key *key)
{
    char seal[SEAL_LENGTH + 1];
    char hash[DIGEST_HEX_SIZE];
    if (text->length < sizeof header - 1 + SEAL_LENGTH ||
        (memcmp(text->data, header, sizeof header - 1) != 0 &&
         memcmp(text->data, old_header, sizeof header - 1) != 0))
        return 0;
    size_t length = text->length - SEAL_LENGTH;
    digest_hex(key, text->data, length, hash);
    (void)snprintf(seal, sizeof seal, "seal %s\n", hash);
    return memcmp(text->data + length, seal, SEAL_LENGTH) == 0 ? length : 0;
}

static bool parse_id(const char *line, struct memory_id *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < MEMORY_ID_BYTES; i++) {
        const char *high = memchr(digits, line[2 * i], 16);
        const char *low = high == NULL ? NULL : memchr(digits, line[2 * i + 1], 16);
        if (low == NULL)
            return false;
        out->bytes[i] = (uint8_t)((high - digits) * 16 + (low - digits));
    }
    return true;
}

/* Reads a line; NULL when it is none, else what follows it. */
static const char *parse_record(const char *line, struct memory_record *out)
{
    int64_t fields[FIELDS];
    if (!parse_id(line, &out->id))
        return NULL;
    const char *at = line + (size_t)2 * MEMORY_ID_BYTES;
    for (int i = 0; i < FIELDS; i++) {
        char *end = NULL;
        if (at[0] != ' ' || at[1] < '0' || at[1] > '9')
            return NULL;
        errno = 0;
        fields[i] = strtoll(at, &end, 10);
        if (errno != 0)
            return NULL;
        at = end;
    }
    out->bucket = (struct bucket){fields[0], fields[1], fields[2]};
    out->rate = (struct rate){fields[3], fields[4], fields[5]};
    bool valid = rate_is_valid(&out->rate) && fields[0] <= out->rate.burst &&
                 fields[1] < out->rate.period_ms && *at == '\n';
    return valid ? at + 1 : NULL;
}

/* Copies length bytes and passes over the line feed behind them; NULL when they are not
 * so many, or no text. */
static const char *parse_text(const char *at, const char *end, size_t length, char *out)
{
    if ((size_t)(end - at) <= length || at[length] != '\n' ||
        memchr(at, '\0', length) != NULL)
        return NULL;
    memcpy(out, at, length);
    out[length] = '\0';
    return at + length + 1;
}

/* A blank and a number; NULL past max, else what follows. */
static const char *parse_length(const char *at, size_t max, size_t *out)
{
    char *end = NULL;
    if (at[0] != ' ' || at[1] < '0' || at[1] > '9')
        return NULL;
    unsigned long number = strtoul(at, &end, 10);
    if (number > max)
        return NULL;
    *out = number;
    return end;
}

/* Reads a document; NULL when it is none, else what follows it. */
static const char *parse_document(const char *line, const char *end,
                                  struct document_record *out)
{
    char name[NAME_SIZE] = "";
    size_t id_length, value_length;
    const char *at = line + sizeof document_word - 1;
    size_t name_length = strcspn(at, " \n");
    if (name_length >= sizeof name)
        return NULL;
    memcpy(name, at, name_length);
    if (!collection_find(name, &out->collection))
        return NULL;
    at = parse_length(at + name_length, DOCUMENTS_ID_MAX, &id_length);
    if (at != NULL)
        at = parse_length(at, DOCUMENTS_VALUE_MAX, &value_length);
    if (at == NULL || *at != '\n' || id_length == 0)
        return NULL;
    at = parse_text(at + 1, end, id_length, out->id);
    return at == NULL ? NULL : parse_text(at, end, value_length, out->value);
}

static enum status put_document(struct documents_memory *documents,
                                const struct document_record *record)
{
    const struct change change = {
        .collection = record->collection, .id = record->id, .value = record->value};
    return documents_memory_change(documents, &change, 1);
}

/* Goes over what is sealed, and puts it in if state is not NULL. INVALID, and all before
 * is in, where it is no record; NOMEM, LIMIT. */
static enum status walk(const struct text *text, size_t length, const struct state *state,
                        int64_t now_ms)
{
    const char *at = text->data + sizeof header - 1;
    const char *end = text->data + length;
    enum status status = STATUS_OK;
    while (at != NULL && at < end && status == STATUS_OK) {
        struct memory_record bucket;
        struct document_record document;
        bool is_document = strncmp(at, document_word, sizeof document_word - 1) == 0;
        at = is_document ? parse_document(at, end, &document) : parse_record(at, &bucket);
        if (at == NULL || state == NULL)
            continue;
        if (!is_document)
            memory_import(state->memory, &bucket, now_ms);
        else if (state->documents != NULL)
            status = put_document(state->documents, &document);
    }
    return status == STATUS_OK && at != end ? STATUS_INVALID : status;
}

enum status state_load(const struct state *state, const struct digest_key *key,
                       const char *path, int64_t now_ms, struct error *error)
{
    struct text text = {0};
    bool exists = false;
    enum status status = read_file(path, &text, &exists, error);
    if (status == STATUS_OK && exists) {
        size_t length = sealed_length(&text, key);
        size_t shown = text.length < sizeof magic - 1 ? text.length : sizeof magic - 1;
        if (memcmp(text_string(&text), magic, shown) != 0)
            status = error_set_at(error, STATUS_IO, path, 0, "not a state file");
        else if (length == 0)
            status = error_set_at(error, STATUS_INVALID, path, 0,
                                  "damaged, or of another key or version");
        else if (walk(&text, length, NULL, now_ms) != STATUS_OK)
            status = error_set_at(error, STATUS_INVALID, path, 0, "damaged");
        else if ((status = walk(&text, length, state, now_ms)) != STATUS_OK)
            (void)error_set_at(error, status, path, 0, "more than there is room for");
    }
    text_clear(&text);
    return status;
}

enum status state_set_aside(const char *path, struct error *error)
{
    struct text aside = {0};
    enum status status = STATUS_OK;
    text_printf(&aside, "%s.bad", path);
    if (aside.failed)
        status = error_set_at(error, STATUS_NOMEM, path, 0, "out of memory");
    else if (rename(path, text_string(&aside)) != 0)
        status = error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
    text_clear(&aside);
    return status;
}
