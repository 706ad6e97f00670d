/* One document a permit, under its id. One that ended is moved, with what was left of it,
 * so that those in force, which are read every 250 ms, stay few. What is left of the
 * others is asked of the store when somebody looks. */
#include "quarantine/permits.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "quarantine/active_brakes.h"
#include "quarantine/brake_record.h"
#include "quarantine/record.h"
#include "store/store.h"

/* ---- documents ---- */

static json_t *to_json(const struct permit *permit)
{
    json_t *array = json_array();
    for (size_t i = 0; i < permit->to_count; i++)
        (void)json_array_append_new(array, record_string(permit->to[i]));
    return array;
}

json_t *permits_record(const struct permit *permit)
{
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o}", "id", permit->id, "key",
                     permit->key.text, "to", to_json(permit), "copies",
                     (json_int_t)permit->rate.burst, "from", (json_int_t)permit->from_ms,
                     "until", (json_int_t)permit->until_ms, "by",
                     record_string(permit->by == NULL ? "" : permit->by), "reason",
                     record_string(permit->reason == NULL ? "" : permit->reason));
}

static enum status read_to(const json_t *array, const struct domains *own,
                           struct permit *out)
{
    size_t i;
    const json_t *item;
    if (!json_is_array(array) || json_array_size(array) > PERMIT_TO_MAX)
        return STATUS_INVALID;
    out->to = calloc(json_array_size(array) + 1, sizeof *out->to);
    if (out->to == NULL)
        return STATUS_NOMEM;
    json_array_foreach(array, i, item)
    {
        struct error error;
        const char *text = json_string_value(item);
        enum status status =
            text == NULL ? STATUS_INVALID
                         : permit_parse_to(text, own, &out->to[out->to_count], &error);
        if (status != STATUS_OK)
            return status;
        out->to_count++;
    }
    return STATUS_OK;
}

static bool copy_text(const json_t *record, const char *name, char **out)
{
    *out = strdup(record_text(record, name));
    return *out != NULL;
}

enum status permits_read(const json_t *record, const struct domains *own,
                         struct permit *out)
{
    struct permit permit = {.from_ms = record_number(record, "from"),
                            .until_ms = record_number(record, "until")};
    permit.rate =
        permit_rate(record_number(record, "copies"), permit.from_ms, permit.until_ms);
    bool sound = record_text(record, "id")[0] != '\0' &&
                 permit.until_ms > permit.from_ms && rate_is_fixed(&permit.rate);
    enum status status = !sound ? STATUS_INVALID
                                : brake_key_parse(record_text(record, "key"), own, NULL,
                                                  &permit.key, NULL);
    if (status == STATUS_OK)
        status = read_to(json_object_get(record, "to"), own, &permit);
    if (status == STATUS_OK &&
        (!copy_text(record, "id", &permit.id) || !copy_text(record, "by", &permit.by) ||
         !copy_text(record, "reason", &permit.reason)))
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        *out = permit;
    else
        permit_clear(&permit);
    return status;
}

/* The copies that are left of each permit, and whether the store said so (false: it is
 * away, and nothing is written). NOMEM. */
static enum status find_left(struct store *store, const struct permit *permits,
                             size_t count, int64_t deadline_us, int64_t *out_left,
                             bool *out_known)
{
    enum charge_source source;
    struct charge *charges = calloc(count + 1, sizeof *charges);
    struct charge_outcome *outcomes = calloc(count + 1, sizeof *outcomes);
    enum status status = STATUS_NOMEM;
    for (size_t i = 0; charges != NULL && i < count; i++)
        charges[i] = permit_charge(&permits[i], 0);
    if (charges != NULL && outcomes != NULL)
        status = store_charge(store, charges, count, CHARGE_PEEK, deadline_us, outcomes,
                              &source);
    *out_known = status == STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        out_left[i] = outcomes[i].left;
    free(charges);
    free(outcomes);
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

/* Without room for it among those that ended, it only goes. */
static enum status move(struct store *store, const char *id, const char *value,
                        const char *ended, int64_t deadline_us)
{
    const struct change changes[] = {
        {.collection = COLLECTION_PERMITS, .id = id, .check = true, .expected = value},
        {.collection = COLLECTION_ENDED_PERMITS, .id = id, .value = ended},
    };
    enum status status = store_change(store, changes, 2, deadline_us);
    return status == STATUS_LIMIT ? store_change(store, changes, 1, deadline_us) : status;
}

enum status permits_move(struct store *store, const struct permit *permit,
                         const char *value, const char *by, int64_t at_ms,
                         int64_t deadline_us)
{
    int64_t left = 0;
    bool known = false;
    enum status status = find_left(store, permit, 1, deadline_us, &left, &known);
    if (status != STATUS_OK)
        return status;
    json_t *record = permits_record(permit);
    json_t *end =
        json_pack("{s:I, s:o, s:o}", "ended_at", (json_int_t)at_ms, "ended_by",
                  record_string(by), "left", known ? json_integer(left) : json_null());
    char *ended = NULL;
    if (record != NULL && end != NULL && json_object_update(record, end) == 0)
        ended = brake_record_write(json_incref(record));
    status =
        ended == NULL ? STATUS_NOMEM : move(store, permit->id, value, ended, deadline_us);
    free(ended);
    json_decref(end);
    json_decref(record);
    return status;
}

/* ---- showing ---- */

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
    json_t *record = permits_record(permit);
    if (json_object_set_new(record, "left", known ? json_integer(left) : json_null()) !=
        0) {
        json_decref(record);
        return false;
    }
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
        status = find_left(query->store, brakes->permits, brakes->permit_count,
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
