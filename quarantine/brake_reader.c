/* Brakes, allowances and permits as the store has them, and above them those that were
 * put off while it was away. */
#include "quarantine/brake_reader.h"

#include <string.h>

#include "quarantine/brake_record.h"
#include "quarantine/permits.h"
#include "quarantine/record.h"

enum { LAPSED_KEPT_MS = 60000 /* another relay's clock may be behind */ };

/* This document was added. */
static void add_to_sum(struct brake_reader *reader, const char *value)
{
    static const struct digest_key key; /* to tell them apart, no secret */
    uint8_t bytes[DIGEST_BYTES];
    uint64_t number;
    digest_quick(&key, value, strlen(value), bytes);
    memcpy(&number, bytes, sizeof number);
    reader->sum += number;
}

/* Whether it lapsed. What did so long ago is deleted, unless it was set again meanwhile;
 * failing that, the next reading does it. */
static bool is_lapsed(const struct brake_reader *reader, enum collection collection,
                      const char *id, const char *value, int64_t until_ms)
{
    const struct change change = {
        .collection = collection, .id = id, .check = true, .expected = value};
    enum status status = STATUS_OK;
    if (reader->now_ms - until_ms >= LAPSED_KEPT_MS)
        status = store_change(reader->store, &change, 1, reader->deadline_us);
    (void)status;
    return until_ms <= reader->now_ms;
}

/* What this version can't read is left alone: a newer one may have written it. */
static enum status read_brake(void *context, const char *id, const char *value)
{
    struct brake_reader *reader = context;
    json_t *record = record_load(value);
    struct brake brake = {0};
    enum action action;
    int64_t until_ms = 0;
    enum status status = STATUS_OK;
    bool sound = record != NULL && brake_record_until(record, &until_ms) &&
                 brake_record_action(record_text(record, "action"), &action);
    if (sound && !is_lapsed(reader, COLLECTION_BRAKES, id, value, until_ms)) {
        status = brake_key_parse(record_text(record, "key"), reader->own, NULL,
                                 &brake.key, NULL);
        if (status == STATUS_OK) {
            brake.action = action;
            brake.until_ms = until_ms;
            brake.by = (char *)(uintptr_t)record_text(record, "by");
            brake.reason = (char *)(uintptr_t)record_text(record, "reason");
            status = brakes_add(reader->brakes, &brake) ? STATUS_OK : STATUS_NOMEM;
            brake_key_clear(&brake.key);
            add_to_sum(reader, value);
        }
    }
    json_decref(record);
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

static enum status read_allowance(void *context, const char *id, const char *value)
{
    struct brake_reader *reader = context;
    json_t *record = record_load(value);
    bool added = true;
    struct allowance allowance;
    bool sound = brake_record_read_allowance(record, &allowance);
    if (sound && !is_lapsed(reader, COLLECTION_ALLOWS, id, value, allowance.until_ms)) {
        added = brakes_add_allowance(reader->brakes, &allowance);
        add_to_sum(reader, value);
    }
    json_decref(record);
    return added ? STATUS_OK : STATUS_NOMEM;
}

/* Whether it was over a while ago: then it is moved to those that ended; failing that,
 * the next reading does it. */
static bool is_over(const struct brake_reader *reader, const struct permit *permit,
                    const char *value)
{
    if (reader->now_ms - permit->until_ms < LAPSED_KEPT_MS)
        return false;
    enum status status = permits_move(reader->store, permit, value, "", permit->until_ms,
                                      reader->deadline_us);
    (void)status;
    return true;
}

static enum status read_permit(void *context, const char *id, const char *value)
{
    struct brake_reader *reader = context;
    struct permit permit;
    json_t *record = record_load(value);
    enum status status =
        record == NULL ? STATUS_INVALID : permits_read(record, reader->own, &permit);
    (void)id;
    if (status == STATUS_OK) {
        if (!is_over(reader, &permit, value)) {
            status =
                brakes_add_permit(reader->brakes, &permit) ? STATUS_OK : STATUS_NOMEM;
            add_to_sum(reader, value);
        }
        permit_clear(&permit);
    }
    json_decref(record);
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

/* One that was put off may be in the store already, when its answer was lost. */
static enum status read_put_off_permit(void *context, const char *id, const char *value)
{
    struct brake_reader *reader = context;
    for (size_t i = 0; i < reader->brakes->permit_count; i++)
        if (strcmp(reader->brakes->permits[i].id, id) == 0)
            return STATUS_OK;
    return read_permit(context, id, value);
}

/* One that was put off stands above what the store has. */
static enum status read_put_off(void *context, const char *id, const char *value)
{
    struct brake_reader *reader = context;
    struct brakes *brakes = reader->brakes;
    size_t before = brakes->count;
    enum status status = read_brake(context, id, value);
    if (brakes->count == before)
        return status;
    for (size_t i = 0; i < before; i++) {
        if (strcmp(brakes->items[i].key.text, brakes->items[before].key.text) == 0) {
            brake_clear(&brakes->items[i]);
            brakes->items[i] = brakes->items[--brakes->count];
            break;
        }
    }
    return status;
}

enum status brake_reader_read(struct brake_reader *reader)
{
    struct store *store = reader->store;
    enum status status =
        store_list(store, COLLECTION_BRAKES, reader->deadline_us, read_brake, reader);
    if (status == STATUS_OK)
        status = store_list_put_off(store, COLLECTION_BRAKES, read_put_off, reader);
    if (status == STATUS_OK)
        status = store_list(store, COLLECTION_ALLOWS, reader->deadline_us, read_allowance,
                            reader);
    if (status == STATUS_OK)
        status = store_list(store, COLLECTION_PERMITS, reader->deadline_us, read_permit,
                            reader);
    if (status == STATUS_OK)
        status =
            store_list_put_off(store, COLLECTION_PERMITS, read_put_off_permit, reader);
    brakes_sort(reader->brakes);
    return status;
}

enum status brake_reader_read_put_off(struct brake_reader *reader)
{
    struct store *store = reader->store;
    enum status status =
        store_list_put_off(store, COLLECTION_BRAKES, read_put_off, reader);
    if (status == STATUS_OK)
        status =
            store_list_put_off(store, COLLECTION_PERMITS, read_put_off_permit, reader);
    brakes_sort(reader->brakes);
    return status;
}

/* Writes what was put off. What lapsed meanwhile is not worth it any more, and what was
 * set anew meanwhile is written next time. */
static enum status write_put_off(const struct brake_reader *reader,
                                 enum collection collection, const char *id,
                                 const char *value)
{
    struct store *store = reader->store;
    const struct change change = {.collection = collection, .id = id, .value = value};
    int64_t until_ms = 0;
    json_t *record = record_load(value);
    bool lapsed = !brake_record_until(record, &until_ms) || until_ms <= reader->now_ms;
    json_decref(record);
    enum status status =
        lapsed ? STATUS_OK : store_change(store, &change, 1, reader->deadline_us);
    if (status != STATUS_OK)
        return status;
    status = store_put_off(store, collection, id, value, NULL);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

static enum status write_brake(void *context, const char *id, const char *value)
{
    return write_put_off(context, COLLECTION_BRAKES, id, value);
}

static enum status write_permit(void *context, const char *id, const char *value)
{
    return write_put_off(context, COLLECTION_PERMITS, id, value);
}

enum status brake_reader_write_put_off(struct brake_reader *reader)
{
    struct store *store = reader->store;
    enum status status =
        store_list_put_off(store, COLLECTION_BRAKES, write_brake, reader);
    if (status == STATUS_OK)
        status = store_list_put_off(store, COLLECTION_PERMITS, write_permit, reader);
    return status;
}
