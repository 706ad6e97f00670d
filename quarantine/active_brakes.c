/* One immutable set of what is in force, swapped whole. Setting and clearing put a new
 * set up at once; a reading that began before that is thrown away, since it may not
 * have seen it. The lock covers pointers and counts, never the store. */
#include "quarantine/active_brakes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "quarantine/brake_reader.h"
#include "quarantine/brake_record.h"
#include "quarantine/permits.h"
#include "quarantine/record.h"
#include "store/store.h"

enum {
    BRAKES_MAX = 1000, /* that can be set; each message is held against all */
    READINGS = 3,      /* tries to read while others set and clear */
};

/* What messages hold a reference to. */
struct brake_set {
    struct brakes brakes; /* first: what is taken is the set */
    size_t references;    /* our own included */
    uint64_t sum;         /* of what was read (brake_reader.h) */
};

struct active_brakes {
    struct store *store;
    pthread_mutex_t mutex;
    struct brake_set *current;
    uint64_t changes; /* by active_brakes_set and the like */
    uint64_t version; /* see active_brakes_version */
    bool read;        /* the store's brakes, or those put off, were */
};

/* ---- sets ---- */

static void free_set(struct brake_set *set)
{
    if (set != NULL)
        brakes_clear(&set->brakes);
    free(set);
}

/* Under the lock: drops a reference; what is to be freed, or NULL. */
static struct brake_set *drop(struct brake_set *set)
{
    return --set->references > 0 ? NULL : set;
}

/* Under the lock: puts up a set; what is to be freed of the one before, or NULL. */
static struct brake_set *put_up(struct active_brakes *active, struct brake_set *set)
{
    struct brake_set *before = active->current;
    set->references = 1;
    active->current = set;
    return drop(before);
}

struct active_brakes *active_brakes_new(struct store *store)
{
    struct active_brakes *active = calloc(1, sizeof *active);
    struct brake_set *empty = calloc(1, sizeof *empty);
    if (active == NULL || empty == NULL ||
        pthread_mutex_init(&active->mutex, NULL) != 0) {
        free(active);
        free(empty);
        return NULL;
    }
    active->store = store;
    active->current = empty;
    empty->references = 1;
    return active;
}

void active_brakes_free(struct active_brakes *active)
{
    if (active == NULL)
        return;
    free_set(active->current);
    (void)pthread_mutex_destroy(&active->mutex);
    free(active);
}

const struct brakes *active_brakes_take(struct active_brakes *active)
{
    (void)pthread_mutex_lock(&active->mutex);
    struct brake_set *set = active->current;
    set->references++;
    (void)pthread_mutex_unlock(&active->mutex);
    return &set->brakes;
}

void active_brakes_release(struct active_brakes *active, const struct brakes *brakes)
{
    (void)pthread_mutex_lock(&active->mutex);
    struct brake_set *unused = drop((struct brake_set *)(uintptr_t)brakes);
    (void)pthread_mutex_unlock(&active->mutex);
    free_set(unused);
}

/* ---- reading ---- */

static uint64_t count_changes(struct active_brakes *active)
{
    (void)pthread_mutex_lock(&active->mutex);
    uint64_t changes = active->changes;
    (void)pthread_mutex_unlock(&active->mutex);
    return changes;
}

uint64_t active_brakes_version(struct active_brakes *active)
{
    (void)pthread_mutex_lock(&active->mutex);
    uint64_t version = active->version;
    (void)pthread_mutex_unlock(&active->mutex);
    return version;
}

/* Puts up what was read, unless something was set or cleared since. */
static bool put_up_if(struct active_brakes *active, struct brake_set *set,
                      uint64_t changes)
{
    struct brake_set *unused = NULL;
    (void)pthread_mutex_lock(&active->mutex);
    bool current = active->changes == changes;
    if (current) {
        active->version += active->current->sum != set->sum;
        unused = put_up(active, set);
        active->read = true;
    }
    (void)pthread_mutex_unlock(&active->mutex);
    free_set(unused);
    return current;
}

/* After a restart with the store away, what was put off is all that is known. */
static void put_up_put_off(struct active_brakes *active, struct brake_reader *reader)
{
    struct brake_set *set = calloc(1, sizeof *set);
    (void)pthread_mutex_lock(&active->mutex);
    bool known = active->read;
    uint64_t changes = active->changes;
    (void)pthread_mutex_unlock(&active->mutex);
    reader->brakes = set == NULL ? NULL : &set->brakes;
    if (!known && set != NULL && brake_reader_read_put_off(reader) == STATUS_OK &&
        set->brakes.count + set->brakes.permit_count > 0) {
        set->sum = reader->sum;
        if (put_up_if(active, set, changes))
            return;
    }
    free_set(set);
}

enum status active_brakes_refresh(struct active_brakes *active, const struct domains *own,
                                  int64_t now_ms, int64_t deadline_us)
{
    struct brake_reader reader = {active->store, own, now_ms, deadline_us, NULL, 0};
    enum status written = brake_reader_write_put_off(&reader);
    if (written == STATUS_UNAVAILABLE) {
        put_up_put_off(active, &reader);
        return written;
    }
    for (int i = 0; i < READINGS; i++) {
        uint64_t changes = count_changes(active);
        struct brake_set *set = calloc(1, sizeof *set);
        if (set == NULL)
            return STATUS_NOMEM;
        reader.brakes = &set->brakes;
        reader.sum = 0;
        enum status status = brake_reader_read(&reader);
        set->sum = reader.sum;
        if (status == STATUS_OK && put_up_if(active, set, changes))
            return STATUS_OK;
        free_set(set);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK; /* what was set and cleared is up; the rest comes next time */
}

/* ---- setting ---- */

/* What differs between the set that is up and the next one. */
struct edit {
    const struct brake *brake; /* set, or NULL */
    const char *key;           /* of the brake that is replaced or cleared, or NULL */
    const struct allowance *allowance;
    const struct permit *permit; /* set, or NULL */
    const char *ended;           /* the id of a permit, or NULL */
};

static bool is_replaced(const struct edit *edit, const struct allowance *allowance)
{
    const struct allowance *set = edit->allowance;
    if (set == NULL || (set->id == NULL) != (allowance->id == NULL))
        return false;
    if (set->id != NULL)
        return strcmp(set->id, allowance->id) == 0;
    return strcmp(set->fingerprint, allowance->fingerprint) == 0 &&
           strcmp(set->subject, allowance->subject) == 0;
}

static bool copy_edited(const struct brakes *from, const struct edit *edit,
                        struct brakes *to)
{
    bool copied =
        (edit->brake == NULL || brakes_add(to, edit->brake)) &&
        (edit->allowance == NULL || brakes_add_allowance(to, edit->allowance)) &&
        (edit->permit == NULL || brakes_add_permit(to, edit->permit));
    for (size_t i = 0; i < from->count && copied; i++)
        if (edit->key == NULL || strcmp(from->items[i].key.text, edit->key) != 0)
            copied = brakes_add(to, &from->items[i]);
    for (size_t i = 0; i < from->allowance_count && copied; i++)
        if (!is_replaced(edit, &from->allowances[i]))
            copied = brakes_add_allowance(to, &from->allowances[i]);
    for (size_t i = 0; i < from->permit_count && copied; i++)
        if (edit->ended == NULL || strcmp(from->permits[i].id, edit->ended) != 0)
            copied = brakes_add_permit(to, &from->permits[i]);
    brakes_sort(to);
    return copied;
}

/* In force here at once. Without memory it is within the next reading. */
static void apply(struct active_brakes *active, const struct edit *edit)
{
    struct brake_set *unused = NULL;
    struct brake_set *set = calloc(1, sizeof *set);
    (void)pthread_mutex_lock(&active->mutex);
    active->changes++;
    active->version++;
    if (set != NULL && copy_edited(&active->current->brakes, edit, &set->brakes)) {
        unused = put_up(active, set);
        set = NULL;
    }
    (void)pthread_mutex_unlock(&active->mutex);
    free_set(unused);
    free_set(set);
    struct error error;
    if (store_save(active->store, &error) != STATUS_OK)
        return; /* in force all the same; the store tells it when its minute comes */
}

/* Writes one document over whatever was there. LIMIT when there are too many. */
static enum status write(struct active_brakes *active, const struct change *change,
                         int64_t deadline_us)
{
    size_t count;
    if (change->value == NULL)
        return STATUS_NOMEM;
    enum status status =
        store_count(active->store, change->collection, deadline_us, &count);
    if (status == STATUS_OK && count >= BRAKES_MAX)
        return STATUS_LIMIT;
    return status == STATUS_OK ? store_change(active->store, change, 1, deadline_us)
                               : status;
}

/* For one that can't be counted in the store. */
static bool has_room(struct active_brakes *active)
{
    const struct brakes *brakes = active_brakes_take(active);
    bool room = brakes->count < BRAKES_MAX;
    active_brakes_release(active, brakes);
    return room;
}

enum status active_brakes_set(struct active_brakes *active, const struct brake *brake,
                              int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1];
    const struct edit edit = {.brake = brake, .key = brake->key.text};
    brake_record_id(brake->key.text, id);
    char *text = brake_record_write(
        brake_record_new(brake, brake_record_make_until(brake->until_ms)));
    const struct change change = {
        .collection = COLLECTION_BRAKES, .id = id, .value = text};
    enum status status = write(active, &change, deadline_us);
    if (status == STATUS_UNAVAILABLE && text != NULL && has_room(active))
        status = store_put_off(active->store, COLLECTION_BRAKES, id, NULL, text);
    else if (status == STATUS_OK)
        status = store_put_off(active->store, COLLECTION_BRAKES, id, NULL, NULL);
    if (status == STATUS_OK)
        apply(active, &edit);
    free(text);
    return status;
}

enum status active_brakes_clear(struct active_brakes *active, const char *key,
                                int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1];
    const struct edit edit = {.key = key};
    enum status status = STATUS_CONFLICT;
    brake_record_id(key, id);
    while (status == STATUS_CONFLICT) {
        char *text = NULL;
        status = store_get(active->store, COLLECTION_BRAKES, id, deadline_us, &text);
        const struct change change = {
            .collection = COLLECTION_BRAKES, .id = id, .check = true, .expected = text};
        if (status == STATUS_OK)
            status = store_change(active->store, &change, 1, deadline_us);
        free(text);
    }
    if (store_is_put_off(active->store, COLLECTION_BRAKES, id) &&
        (status == STATUS_UNAVAILABLE || status == STATUS_NOT_FOUND))
        status = STATUS_OK; /* it is known here alone */
    if (status == STATUS_OK)
        status = store_put_off(active->store, COLLECTION_BRAKES, id, NULL, NULL);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        apply(active, &edit);
    return status;
}

enum status active_brakes_allow(struct active_brakes *active,
                                const struct allowance *allowance, int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1];
    const struct edit edit = {.allowance = allowance};
    enum status status = brake_record_allowance_id(allowance, id);
    if (status != STATUS_OK)
        return status;
    char *text = brake_record_write(brake_record_new_allowance(allowance));
    const struct change change = {
        .collection = COLLECTION_ALLOWS, .id = id, .value = text};
    status = write(active, &change, deadline_us);
    free(text);
    if (status == STATUS_OK)
        apply(active, &edit);
    return status;
}

static bool has_room_for_permit(struct active_brakes *active)
{
    const struct brakes *brakes = active_brakes_take(active);
    bool room = brakes->permit_count < BRAKES_MAX;
    active_brakes_release(active, brakes);
    return room;
}

enum status active_brakes_permit(struct active_brakes *active,
                                 const struct permit *permit, int64_t deadline_us)
{
    const struct edit edit = {.permit = permit};
    json_t *record = permits_record(permit);
    char *text = record == NULL ? NULL : brake_record_write(record);
    const struct change change = {
        .collection = COLLECTION_PERMITS, .id = permit->id, .value = text};
    enum status status = write(active, &change, deadline_us);
    if (status == STATUS_UNAVAILABLE && text != NULL && has_room_for_permit(active))
        status = store_put_off(active->store, COLLECTION_PERMITS, permit->id, NULL, text);
    if (status == STATUS_OK)
        apply(active, &edit);
    free(text);
    return status;
}

/* Ends it in the store. */
static enum status end_permit(struct active_brakes *active, const struct domains *own,
                              const char *id, const char *by, int64_t now_ms,
                              int64_t deadline_us)
{
    struct permit permit;
    char *text = NULL;
    enum status status =
        store_get(active->store, COLLECTION_PERMITS, id, deadline_us, &text);
    if (status != STATUS_OK)
        return status;
    json_t *record = record_load(text);
    status = record == NULL ? STATUS_INVALID : permits_read(record, own, &permit);
    if (status == STATUS_OK) {
        status = permits_move(active->store, &permit, text, by, now_ms, deadline_us);
        permit_clear(&permit);
    }
    json_decref(record);
    free(text);
    return status;
}

enum status active_brakes_end_permit(struct active_brakes *active,
                                     const struct domains *own, const char *id,
                                     const char *by, int64_t now_ms, int64_t deadline_us)
{
    const struct edit edit = {.ended = id};
    enum status status = STATUS_CONFLICT;
    while (status == STATUS_CONFLICT)
        status = end_permit(active, own, id, by, now_ms, deadline_us);
    if (store_is_put_off(active->store, COLLECTION_PERMITS, id) &&
        (status == STATUS_UNAVAILABLE || status == STATUS_NOT_FOUND))
        status = STATUS_OK; /* it is known here alone */
    if (status == STATUS_OK)
        status = store_put_off(active->store, COLLECTION_PERMITS, id, NULL, NULL);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        apply(active, &edit);
    return status;
}

/* ---- showing ---- */

json_t *active_brakes_json(struct active_brakes *active, int64_t now_ms)
{
    const struct brakes *brakes = active_brakes_take(active);
    json_t *array = json_array();
    bool added = array != NULL;
    for (size_t i = 0; i < brakes->count && added; i++) {
        char id[DOCUMENTS_ID_MAX + 1];
        const struct brake *brake = &brakes->items[i];
        int64_t until_ms = brake->until_ms;
        if (until_ms <= now_ms)
            continue;
        brake_record_id(brake->key.text, id);
        json_t *shown = brake_record_new(
            brake, until_ms == INT64_MAX ? json_null() : record_time(until_ms));
        if (shown != NULL && store_is_put_off(active->store, COLLECTION_BRAKES, id))
            (void)json_object_set_new(shown, "pending", json_true());
        added = json_array_append_new(array, shown) == 0;
    }
    active_brakes_release(active, brakes);
    if (!added) {
        json_decref(array);
        return NULL;
    }
    return array;
}
