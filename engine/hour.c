/* In the store an hour is {"minutes": [[minute, messages, copies, stopped,
 * stopped_copies], …]}, those with mail. */
#include "engine/hour.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/instant.h"
#include "base/text.h"
#include "quarantine/record.h"

enum { NUMBERS = 5 };

static const char id_prefix[] = "hour ";

void hour_add(struct hour *hour, const struct minute *more)
{
    struct minute *place = &hour->minutes[more->minute % HOUR_MINUTES];
    if (more->minute < place->minute)
        return;
    if (place->minute != more->minute)
        *place = (struct minute){.minute = more->minute};
    place->messages += more->messages;
    place->copies += more->copies;
    place->stopped += more->stopped;
    place->stopped_copies += more->stopped_copies;
}

json_t *hour_show(const struct hour *hour, int64_t now_ms)
{
    json_t *array = json_array();
    int64_t last = now_ms / HOUR_MINUTE_MS;
    for (int64_t minute = last - HOUR_MINUTES + 1; minute <= last; minute++) {
        char at[INSTANT_SIZE];
        struct minute shown = hour->minutes[minute % HOUR_MINUTES];
        if (shown.minute != minute)
            shown = (struct minute){.minute = minute};
        instant_format(minute * HOUR_MINUTE_MS, at);
        (void)json_array_append_new(
            array,
            json_pack("{s:s, s:I, s:I, s:I, s:I}", "at", at, "messages",
                      (json_int_t)shown.messages, "copies", (json_int_t)shown.copies,
                      "stopped", (json_int_t)shown.stopped, "stopped_copies",
                      (json_int_t)shown.stopped_copies));
    }
    return array;
}

/* ---- in the store ---- */

static void format_id(const char *host, char out[DOCUMENTS_ID_MAX + 1])
{
    text_join(out, DOCUMENTS_ID_MAX + 1, id_prefix, host);
}

static char *to_text(const struct hour *hour)
{
    json_t *minutes = json_array();
    for (size_t i = 0; i < HOUR_MINUTES; i++) {
        const struct minute *m = &hour->minutes[i];
        if (m->messages > 0)
            (void)json_array_append_new(
                minutes,
                json_pack("[I, I, I, I, I]", (json_int_t)m->minute,
                          (json_int_t)m->messages, (json_int_t)m->copies,
                          (json_int_t)m->stopped, (json_int_t)m->stopped_copies));
    }
    json_t *document = json_pack("{s:o}", "minutes", minutes);
    char *text = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);
    json_decref(document);
    return text;
}

enum status hour_write(const struct hour *hour, struct store *store, const char *host,
                       int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1];
    char *value = to_text(hour);
    const struct change change = {
        .collection = COLLECTION_TRAFFIC, .id = id, .value = value};
    format_id(host, id);
    enum status status =
        value == NULL ? STATUS_NOMEM : store_change(store, &change, 1, deadline_us);
    free(value);
    return status;
}

/* False for what is no minute: somebody else wrote it. */
static bool read_minute(const json_t *array, struct minute *out)
{
    int64_t numbers[NUMBERS];
    for (size_t i = 0; i < NUMBERS; i++) {
        numbers[i] = json_integer_value(json_array_get(array, i));
        if (numbers[i] < 0 || numbers[i] > INT64_C(1) << 52)
            return false;
    }
    *out = (struct minute){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    return true;
}

static void add_text(struct hour *hour, const char *text)
{
    size_t i;
    const json_t *item;
    struct minute minute;
    json_t *document = record_load(text);
    json_array_foreach(json_object_get(document, "minutes"), i, item)
    {
        if (i < HOUR_MINUTES && read_minute(item, &minute))
            hour_add(hour, &minute);
    }
    json_decref(document);
}

enum status hour_read(struct hour *hour, struct store *store, const char *host,
                      int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1];
    char *value = NULL;
    format_id(host, id);
    enum status status = store_get(store, COLLECTION_TRAFFIC, id, deadline_us, &value);
    if (status == STATUS_OK)
        add_text(hour, value);
    free(value);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

bool hour_is_before(const char *id, const char *value, int64_t before_ms)
{
    struct hour hour = {0};
    if (text_after(id, id_prefix) == NULL)
        return false;
    add_text(&hour, value);
    for (size_t i = 0; i < HOUR_MINUTES; i++)
        if ((hour.minutes[i].minute + 1) * HOUR_MINUTE_MS > before_ms)
            return false;
    return true;
}
