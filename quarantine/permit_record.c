/* One document a permit, under its id. One that ended is moved, with what was left of it,
 * so that those in force, which are read every 250 ms, stay few. */
#include "quarantine/permit_record.h"

#include <stdlib.h>
#include <string.h>

#include "quarantine/brake_record.h"
#include "quarantine/record.h"
#include "store/store.h"

static json_t *to_json(const struct permit *permit)
{
    json_t *array = json_array();
    for (size_t i = 0; i < permit->to_count; i++)
        (void)json_array_append_new(array, record_string(permit->to[i]));
    return array;
}

json_t *permit_record_new(const struct permit *permit)
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

enum status permit_record_read(const json_t *record, const struct domains *own,
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

enum status permit_record_left(struct store *store, const struct permit *permits,
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

enum status permit_record_end(struct store *store, const struct permit *permit,
                              const char *value, const char *by, int64_t at_ms,
                              int64_t deadline_us)
{
    int64_t left = 0;
    bool known = false;
    enum status status = permit_record_left(store, permit, 1, deadline_us, &left, &known);
    if (status != STATUS_OK)
        return status;
    json_t *record = permit_record_new(permit);
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
