/* What is left of a permit is asked of the store when somebody looks. */
#include "quarantine/permits.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "quarantine/permit_record.h"
#include "quarantine/record.h"

static const char *state_of(const struct permit *permit, bool known, int64_t left,
                            int64_t now_ms)
{
    if (permit->until_ms <= now_ms)
        return "lapsed";
    if (known && left == 0)
        return "used";
    return permit->from_ms > now_ms ? "scheduled" : "active";
}

static bool show_time(json_t *record, const char *name)
{
    const json_t *ms = json_object_get(record, name);
    json_t *shown =
        json_is_integer(ms) ? record_time(json_integer_value(ms)) : json_null();
    return shown != NULL && json_object_set_new(record, name, shown) == 0;
}

/* Completes a record for people; it is taken over, and freed without memory. */
static bool show(json_t *array, json_t *record, const char *state)
{
    bool shown = record != NULL && show_time(record, "from") &&
                 show_time(record, "until") && show_time(record, "ended_at") &&
                 json_object_set_new(record, "state", json_string(state)) == 0;
    if (shown && json_object_get(record, "ended_by") == NULL)
        shown = json_object_set_new(record, "ended_by", json_null()) == 0;
    if (shown)
        return json_array_append_new(array, record) == 0;
    json_decref(record);
    return false;
}

/* One in force, to come, used up or just over. */
static bool show_permit(const struct permits_query *query, const struct permit *permit,
                        bool known, int64_t left, json_t *array)
{
    const char *state = state_of(permit, known, left, query->now_ms);
    bool over = strcmp(state, "used") == 0 || strcmp(state, "lapsed") == 0;
    if ((query->id != NULL && strcmp(query->id, permit->id) != 0) ||
        (over && !query->ended))
        return true;
    json_t *record = permit_record_new(permit);
    if (record == NULL ||
        json_object_set_new(record, "left", known ? json_integer(left) : json_null()) !=
            0)
        return false;
    if (store_is_put_off(query->store, COLLECTION_PERMITS, permit->id))
        (void)json_object_set_new(record, "pending", json_true());
    return show(array, record, state);
}

static enum status show_active(const struct permits_query *query, json_t *array)
{
    bool known = false;
    const struct brakes *brakes = active_brakes_take(query->active);
    int64_t *left = calloc(brakes->permit_count + 1, sizeof *left);
    enum status status = STATUS_NOMEM;
    if (left != NULL)
        status = permit_record_left(query->store, brakes->permits, brakes->permit_count,
                                    query->deadline_us, left, &known);
    for (size_t i = 0; i < brakes->permit_count && status == STATUS_OK; i++)
        if (!show_permit(query, &brakes->permits[i], known, left[i], array))
            status = STATUS_NOMEM;
    free(left);
    active_brakes_release(query->active, brakes);
    return status;
}

/* Those that ended, as they are read. */
struct ended {
    json_t **items;
    size_t count;
};

static enum status add_ended(void *context, const char *id, const char *value)
{
    struct ended *ended = context;
    json_t *record = record_load(value);
    (void)id;
    if (record == NULL)
        return STATUS_OK;
    if (!array_reserve(&ended->items, ended->count, sizeof *ended->items)) {
        json_decref(record);
        return STATUS_NOMEM;
    }
    ended->items[ended->count++] = record;
    return STATUS_OK;
}

static int compare(const void *left, const void *right)
{
    int64_t a = record_number(*(json_t *const *)left, "ended_at");
    int64_t b = record_number(*(json_t *const *)right, "ended_at");
    return a == b ? 0 : a > b ? -1 : 1;
}

static enum status read_ended(const struct permits_query *query, struct ended *out)
{
    const char *const *ids = &query->id;
    if (query->id != NULL)
        return store_get_many(query->store, COLLECTION_ENDED_PERMITS, ids, 1,
                              query->deadline_us, add_ended, out);
    return store_list(query->store, COLLECTION_ENDED_PERMITS, query->deadline_us,
                      add_ended, out);
}

static enum status show_ended(const struct permits_query *query, json_t *array)
{
    struct ended ended = {0};
    enum status status = read_ended(query, &ended);
    if (ended.count > 0)
        qsort(ended.items, ended.count, sizeof(json_t *), compare);
    for (size_t i = 0; i < ended.count; i++) {
        json_t *record = ended.items[i];
        bool by_hand = record_text(record, "ended_by")[0] != '\0';
        bool used = json_is_integer(json_object_get(record, "left")) &&
                    record_number(record, "left") == 0;
        const char *state = by_hand ? "ended" : used ? "used" : "lapsed";
        if (status != STATUS_OK)
            json_decref(record);
        else if (!show(array, record, state))
            status = STATUS_NOMEM;
    }
    free(ended.items);
    return status;
}

enum status permits_list(const struct permits_query *query, json_t **out)
{
    json_t *array = json_array();
    enum status status = array == NULL ? STATUS_NOMEM : show_active(query, array);
    bool found = query->id != NULL && json_array_size(array) > 0;
    if (status == STATUS_OK && query->ended && !found)
        status = show_ended(query, array);
    if (status == STATUS_OK)
        *out = array;
    else
        json_decref(array);
    return status;
}

struct prune {
    struct store *store;
    int64_t before_ms, deadline_us;
};

static enum status prune_one(void *context, const char *id, const char *value)
{
    const struct prune *prune = context;
    const struct change change = {.collection = COLLECTION_ENDED_PERMITS, .id = id};
    json_t *record = record_load(value);
    bool old = record_number(record, "ended_at") < prune->before_ms;
    json_decref(record);
    return old ? store_change(prune->store, &change, 1, prune->deadline_us) : STATUS_OK;
}

enum status permits_prune(struct store *store, int64_t now_ms, int64_t retention_ms,
                          int64_t deadline_us)
{
    struct prune prune = {store, now_ms - retention_ms, deadline_us};
    return store_list(store, COLLECTION_ENDED_PERMITS, deadline_us, prune_one, &prune);
}
