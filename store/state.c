/* The whole file is one text in memory, so its seal is checked before a line of it is
 * believed: some 40 MB of buckets, as much of windows and of clients at most, and the
 * documents. */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/text.h"

enum {
    BATCH = 512,       /* records copied under one lock */
    BUCKET_FIELDS = 6, /* after the id */
    WINDOW_FIELDS = 7,
    CLIENTS_FIELDS = 2,
    SEAL_LENGTH = 5 + DIGEST_HEX_SIZE,
    NAME_SIZE = 16, /* of a collection */
};

/* Twice what full tables need, and full collections. */
static const size_t FILE_MAX =
    (size_t)256 * 1024 * 1024 +
    COLLECTIONS * ((size_t)DOCUMENTS_BYTES_MAX + (size_t)2 * 1024 * 1024);

#define MAGIC "mailbrake-state "
static const char header[] = MAGIC "4\n";
enum { MAGIC_LENGTH = sizeof MAGIC - 1, HEADER_LENGTH = sizeof header - 1 };

static const char window_word[] = "window ";
static const char clients_word[] = "clients ";
static const char document_word[] = "document ";

/* A document as the file has it. */
struct document_record {
    enum collection collection;
    char id[DOCUMENTS_ID_MAX + 1];
    char value[DOCUMENTS_VALUE_MAX + 1];
};

static void add_id(struct text *text, const struct memory_id *id)
{
    char hex[2 * sizeof id->bytes + 1];
    text_add_string(text, sodium_bin2hex(hex, sizeof hex, id->bytes, sizeof id->bytes));
}

static void add_numbers(struct text *text, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_printf(text, " %" PRId64, numbers[i]);
}

static void add_window(struct text *text, const struct memory_record *record)
{
    const struct window *window = &record->state.window;
    const struct surge *surge = &record->request.surge;
    const int64_t numbers[WINDOW_FIELDS] = {
        window->start_ms, window->copies,  surge->factor, surge->floor,
        surge->window_ms, window->trained, window->braked};
    text_add_string(text, window_word);
    add_id(text, &record->request.id);
    add_numbers(text, numbers, WINDOW_FIELDS);
    for (size_t i = 0; i < window->past_count; i++)
        text_printf(text, " %" PRId64 ":%" PRId64, window->past[i].end_ms,
                    window->past[i].copies);
}

static void add_clients(struct text *text, const struct memory_record *record)
{
    const struct rate *limit = &record->request.rate;
    const int64_t numbers[CLIENTS_FIELDS] = {limit->burst, limit->period_ms};
    text_add_string(text, clients_word);
    add_id(text, &record->request.id);
    add_numbers(text, numbers, CLIENTS_FIELDS);
    for (size_t i = 0; i < record->client_count; i++)
        text_printf(text, " %" PRId64 ":%" PRId64, record->clients[i].client,
                    record->clients[i].stamp_ms);
}

static void add_bucket(struct text *text, const struct memory_record *record)
{
    const struct bucket *bucket = &record->state.bucket;
    const struct rate *rate = &record->request.rate;
    const int64_t numbers[BUCKET_FIELDS] = {bucket->level,    bucket->rest,
                                            bucket->stamp_ms, rate->tokens,
                                            rate->period_ms,  rate->burst};
    add_id(text, &record->request.id);
    add_numbers(text, numbers, BUCKET_FIELDS);
}

static void add_record(struct text *text, const struct memory_record *record,
                       int64_t now_ms)
{
    if (record->request.is_window)
        add_window(text, record);
    else if (record->request.has_clients)
        add_clients(text, record);
    else
        add_bucket(text, record);
    if (record->state.latch_end_ms > now_ms)
        text_printf(text, " %s %" PRId64, record->state.own ? "own" : "latch",
                    record->state.latch_end_ms);
    text_add(text, "\n", 1);
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
    for (size_t set = 0; state->memory != NULL && set < MEMORY_SETS;) {
        size_t count = memory_export(state->memory, now_ms, &set, records, BATCH);
        for (size_t i = 0; i < count; i++)
            add_record(text, &records[i], now_ms);
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
    if (fstat(fd, &info) == 0 && !S_ISREG(info.st_mode))
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
    if (text->length < HEADER_LENGTH + SEAL_LENGTH)
        return 0;
    size_t length = text->length - SEAL_LENGTH;
    digest_hex(key, text->data, length, hash);
    (void)snprintf(seal, sizeof seal, "seal %s\n", hash);
    return memcmp(text->data + length, seal, SEAL_LENGTH) == 0 ? length : 0;
}

static bool parse_id(const char *line, struct memory_id *out)
{
    size_t length = 0;
    return sodium_hex2bin(out->bytes, sizeof out->bytes, line, 2 * sizeof out->bytes,
                          NULL, &length, NULL) == 0 &&
           length == sizeof out->bytes;
}

/* Digits into a number; NULL past INT64_MAX, else what follows. */
static const char *parse_number(const char *at, int64_t *out)
{
    return at != NULL && text_take_number(&at, out) ? at : NULL;
}

/* The id and count numbers, each after a blank; NULL without them, else what follows. */
static const char *parse_numbers(const char *at, size_t count, struct memory_id *out_id,
                                 int64_t *out)
{
    if (!parse_id(at, out_id))
        return NULL;
    at += (size_t)2 * MEMORY_ID_BYTES;
    for (size_t i = 0; i < count && at != NULL; i++)
        at = *at == ' ' ? parse_number(at + 1, &out[i]) : NULL;
    return at;
}

static const char *parse_bucket(const char *line, struct memory_record *out)
{
    int64_t fields[BUCKET_FIELDS];
    const char *at = parse_numbers(line, BUCKET_FIELDS, &out->request.id, fields);
    if (at == NULL)
        return NULL;
    out->state.bucket = (struct bucket){fields[0], fields[1], fields[2]};
    out->request.rate = (struct rate){fields[3], fields[4], fields[5]};
    const struct rate *rate = &out->request.rate;
    bool valid = (rate_is_valid(rate) || rate_is_fixed(rate)) &&
                 fields[0] <= out->request.rate.burst &&
                 fields[1] < out->request.rate.period_ms;
    return valid ? at : NULL;
}

/* Whether a " NUMBER:NUMBER" begins here. */
static bool is_pair(const char *at)
{
    return at[0] == ' ' && at[1] >= '0' && at[1] <= '9';
}

/* Reads it; NULL where it is none after all, else what follows. */
static const char *parse_pair(const char *at, int64_t *out_first, int64_t *out_second)
{
    at = parse_number(at + 1, out_first);
    return at != NULL && *at == ':' ? parse_number(at + 1, out_second) : NULL;
}

static const char *parse_window(const char *line, struct memory_record *out)
{
    int64_t fields[WINDOW_FIELDS];
    struct window *window = &out->state.window;
    const char *at = parse_numbers(line + sizeof window_word - 1, WINDOW_FIELDS,
                                   &out->request.id, fields);
    if (at == NULL)
        return NULL;
    out->request.is_window = true;
    out->request.surge = (struct surge){fields[2], fields[3], fields[4]};
    *window = (struct window){.start_ms = fields[0],
                              .copies = fields[1],
                              .trained = fields[5],
                              .braked = fields[6] == 1};
    bool valid = surge_is_valid(&out->request.surge) && fields[1] <= WINDOW_COPIES_MAX &&
                 fields[5] <= WINDOW_COPIES_MAX && fields[6] <= 1;
    while (valid && is_pair(at)) {
        struct window_past past = {0};
        at = parse_pair(at, &past.end_ms, &past.copies);
        valid = at != NULL && window->past_count < WINDOW_PAST_MAX &&
                past.copies <= WINDOW_COPIES_MAX;
        if (valid)
            window->past[window->past_count++] = past;
    }
    return valid ? at : NULL;
}

static const char *parse_clients(const char *line, struct memory_record *out)
{
    int64_t fields[CLIENTS_FIELDS];
    const char *at = parse_numbers(line + sizeof clients_word - 1, CLIENTS_FIELDS,
                                   &out->request.id, fields);
    if (at == NULL)
        return NULL;
    out->request.has_clients = true;
    out->request.rate = (struct rate){fields[0], fields[1], fields[0]};
    bool valid = client_limit_is_valid(&out->request.rate);
    while (valid && is_pair(at)) {
        struct client_entry entry;
        at = parse_pair(at, &entry.client, &entry.stamp_ms);
        valid = at != NULL && out->client_count < CLIENT_SET_MAX && entry.client > 0 &&
                entry.client <= CLIENT_NUMBER_MAX && entry.stamp_ms < RATE_PRODUCT_MAX;
        if (valid)
            out->clients[out->client_count++] = entry;
    }
    return valid ? at : NULL;
}

/* The end of a line, with the latch if there is one. */
static const char *parse_latch(const char *at, struct memory_record *out)
{
    static const char own[] = " own ", latch[] = " latch ";
    if (at != NULL && strncmp(at, own, sizeof own - 1) == 0) {
        out->state.own = true;
        at = parse_number(at + sizeof own - 1, &out->state.latch_end_ms);
    } else if (at != NULL && strncmp(at, latch, sizeof latch - 1) == 0) {
        at = parse_number(at + sizeof latch - 1, &out->state.latch_end_ms);
    }
    return at != NULL && *at == '\n' ? at + 1 : NULL;
}

/* Reads a line; NULL when it isn't one, else what follows it. */
static const char *parse_record(const char *line, struct memory_record *out)
{
    const char *at;
    out->request = (struct limiter_request){0};
    out->state = (struct limiter_state){0};
    out->client_count = 0;
    if (strncmp(line, window_word, sizeof window_word - 1) == 0)
        at = parse_window(line, out);
    else if (strncmp(line, clients_word, sizeof clients_word - 1) == 0)
        at = parse_clients(line, out);
    else
        at = parse_bucket(line, out);
    return parse_latch(at, out);
}

/* Copies length bytes and passes over the line feed after them; NULL when they are not
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

/* Reads a document; NULL when it isn't one, else what follows it. */
static const char *parse_document(const char *line, const char *end,
                                  struct document_record *out)
{
    char name[NAME_SIZE] = "";
    int64_t id_length = 0, value_length = 0;
    const char *at = line + sizeof document_word - 1;
    size_t name_length = strcspn(at, " \n");
    if (name_length >= sizeof name)
        return NULL;
    memcpy(name, at, name_length);
    if (!collection_find(name, &out->collection))
        return NULL;
    at = at[name_length] == ' ' ? parse_number(at + name_length + 1, &id_length) : NULL;
    at = at != NULL && *at == ' ' ? parse_number(at + 1, &value_length) : NULL;
    if (at == NULL || *at != '\n' || id_length == 0 || id_length > DOCUMENTS_ID_MAX ||
        value_length > DOCUMENTS_VALUE_MAX)
        return NULL;
    at = parse_text(at + 1, end, (size_t)id_length, out->id);
    return at == NULL ? NULL : parse_text(at, end, (size_t)value_length, out->value);
}

static enum status put_document(struct documents_memory *documents,
                                const struct document_record *record)
{
    const struct change change = {
        .collection = record->collection, .id = record->id, .value = record->value};
    return documents_memory_change(documents, &change, 1);
}

static bool is_taken(const struct state *state, enum collection collection)
{
    return state->documents != NULL &&
           (!state->only_brakes || collection == COLLECTION_BRAKES ||
            collection == COLLECTION_PERMITS);
}

/* Goes over what is sealed, and puts it in if state is not NULL. INVALID, and all before
 * is in, where it is no record; NOMEM, LIMIT. */
static enum status walk(const struct text *text, size_t length, const struct state *state,
                        int64_t now_ms)
{
    const char *at = text->data + HEADER_LENGTH;
    const char *end = text->data + length;
    enum status status = STATUS_OK;
    while (at != NULL && at < end && status == STATUS_OK) {
        struct memory_record record;
        struct document_record document;
        bool is_document = strncmp(at, document_word, sizeof document_word - 1) == 0;
        at = is_document ? parse_document(at, end, &document) : parse_record(at, &record);
        if (at == NULL || state == NULL)
            continue;
        if (!is_document && state->memory != NULL)
            memory_import(state->memory, &record, now_ms);
        else if (is_document && is_taken(state, document.collection))
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
        size_t shown = text.length < MAGIC_LENGTH ? text.length : MAGIC_LENGTH;
        if (memcmp(text_string(&text), MAGIC, shown) != 0)
            status = error_set_at(error, STATUS_IO, path, 0, "not a state file");
        else if (text.length > HEADER_LENGTH &&
                 memcmp(text.data, header, HEADER_LENGTH) != 0)
            status = error_set_at(error, STATUS_INVALID, path, 0,
                                  "written by another version of mailbrake");
        else if (length == 0)
            status = error_set_at(error, STATUS_INVALID, path, 0,
                                  "damaged, or sealed with another key");
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
