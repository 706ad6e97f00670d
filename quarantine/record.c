/* Documents of strangers' words: each text is cut and cleaned before it goes in, and what
 * comes out is never trusted to have the right type, since other versions write too. */
#include "quarantine/record.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "quarantine/ledger.h"

static const int64_t number_max = INT64_C(1) << 53;

json_t *record_string(const char *text)
{
    struct text clean = {0};
    utf8_add(&clean, text, strnlen(text, RECORD_TEXT_MAX));
    json_t *json = clean.failed ? NULL : json_stringn(text_string(&clean), clean.length);
    text_clear(&clean);
    return json;
}

/* As many as fit, each at least as a part. */
static json_t *make_strings(const char *const *texts, size_t count)
{
    json_t *array = json_array();
    size_t bytes = 0;
    for (size_t i = 0; array != NULL && i < count; i++) {
        json_t *string = record_string(texts[i]);
        bytes += json_dumpb(string, NULL, 0, JSON_ENCODE_ANY) + 1;
        if (bytes > RECORD_TEXTS_BYTES) {
            json_decref(string);
            break;
        }
        if (json_array_append_new(array, string) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Not to an address that had to be cut. */
static bool may_tell(const char *sender, bool tell)
{
    return tell && sender[0] != '\0' && strlen(sender) <= RECORD_TEXT_MAX;
}

static json_t *make_reach(int64_t reach)
{
    return reach < 0 ? json_null() : json_integer(reach);
}

json_t *record_new_incident(const char *id, const struct stop *stop)
{
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:i, s:I, s:I, s:o, s:I, s:o, s:I, "
        "s:I, s:I, s:b, s:i, s:b}",
        "id", id, "rule", record_string(stop->rule), "key", record_string(stop->subject),
        "fingerprint", record_string(stop->fingerprint), "identity",
        record_string(stop->identity), "sender", record_string(stop->sender), "tell",
        may_tell(stop->sender, stop->tell), "held", (json_int_t)stop->held, "released", 0,
        "refused", (json_int_t)stop->refused, "deferred", (json_int_t)stop->deferred,
        "reach", make_reach(stop->reach), "copies", (json_int_t)stop->copies, "lists",
        make_strings(stop->lists, stop->lists_named), "list_count",
        (json_int_t)stop->list_count, "opened_at", (json_int_t)stop->first_ms, "last_at",
        (json_int_t)stop->last_ms, "open", 1, "notices", 0, "sender_told", 0);
}

/* [fingerprint, subject, copies] of each window; not of a subject that had to be cut. */
static json_t *make_lessons(const struct record_hold *hold)
{
    json_t *lessons = json_array();
    for (size_t i = 0; i < hold->charge_count; i++) {
        const struct charge *charge = &hold->charges[i];
        if (charge->surge == NULL || strlen(charge->subject) > RECORD_TEXT_MAX ||
            json_array_size(lessons) == RECORD_LESSONS_MAX)
            continue;
        (void)json_array_append_new(lessons, json_pack("[s, o, I]", charge->fingerprint,
                                                       record_string(charge->subject),
                                                       (json_int_t)charge->cost));
    }
    return lessons;
}

json_t *record_new_hold(const struct record_hold *hold)
{
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:I, s:s, s:o, s:b, "
        "s:o, s:I, s:s, s:b, s:b, s:o}",
        "id", hold->id, "incident", hold->incident, "rule", record_string(hold->rule),
        "identity", record_string(hold->identity), "lists",
        make_strings(hold->lists, hold->lists_named), "list_count",
        (json_int_t)hold->list_count, "reach", make_reach(hold->reach), "host",
        record_string(hold->host), "queue_id", record_string(hold->queue_id), "held_at",
        (json_int_t)hold->held_ms, "state", "held", "sender", record_string(hold->sender),
        "tell", may_tell(hold->sender, hold->tell), "addressed",
        make_strings(hold->addressed, hold->addressed_named), "addressed_count",
        (json_int_t)hold->addressed_count, "in", hold->open_id, "restored",
        hold->restored, "pulled", hold->pulled, "teaches", make_lessons(hold));
}

char *record_dump(const json_t *record)
{
    return json_dumps(record, JSON_COMPACT);
}

json_t *record_load(const char *text)
{
    json_t *record = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (record == NULL || json_is_object(record))
        return record;
    json_decref(record);
    return NULL;
}

int64_t record_number(const json_t *record, const char *name)
{
    int64_t number = json_integer_value(json_object_get(record, name));
    if (number < 0)
        return 0;
    return number < number_max ? number : number_max;
}

const char *record_text(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));
    return text == NULL ? "" : text;
}

static bool set_number(json_t *record, const char *name, int64_t number)
{
    return json_object_set_new(record, name, json_integer(number)) == 0;
}

static bool add(json_t *record, const char *name, int64_t more)
{
    return more == 0 || set_number(record, name, record_number(record, name) + more);
}

static bool raise(json_t *record, const char *name, int64_t number)
{
    return number <= record_number(record, name) || set_number(record, name, number);
}

static bool lower(json_t *record, const char *name, int64_t number)
{
    return number >= record_number(record, name) || set_number(record, name, number);
}

/* The first whom one may write to is the one who is told. */
static bool add_sender(json_t *incident, const struct stop *stop)
{
    if (!may_tell(stop->sender, stop->tell) ||
        json_is_true(json_object_get(incident, "tell")))
        return true;
    return json_object_set_new(incident, "sender", record_string(stop->sender)) == 0 &&
           json_object_set_new(incident, "tell", json_true()) == 0;
}

bool record_grow(json_t *incident, const struct stop *stop)
{
    return add(incident, "held", stop->held) && add(incident, "refused", stop->refused) &&
           add(incident, "deferred", stop->deferred) &&
           add(incident, "copies", stop->copies) &&
           raise(incident, "reach", stop->reach) &&
           lower(incident, "opened_at", stop->first_ms) &&
           raise(incident, "last_at", stop->last_ms) && add_sender(incident, stop);
}

bool record_merge(json_t *incident, const json_t *other)
{
    const struct stop stop = {.sender = record_text(other, "sender"),
                              .tell = json_is_true(json_object_get(other, "tell")),
                              .held = record_number(other, "held"),
                              .refused = record_number(other, "refused"),
                              .deferred = record_number(other, "deferred"),
                              .reach = record_number(other, "reach"),
                              .copies = record_number(other, "copies"),
                              .first_ms = record_number(other, "opened_at"),
                              .last_ms = record_number(other, "last_at")};
    return record_grow(incident, &stop);
}

int64_t record_waiting(const json_t *incident)
{
    int64_t waiting = record_number(incident, "held") - record_number(incident, "ended");
    return waiting > 0 ? waiting : 0;
}

bool record_is_open(const json_t *incident, int64_t now_ms)
{
    return json_is_true(json_object_get(incident, "open")) &&
           now_ms - record_number(incident, "last_at") < INCIDENT_GAP_MS;
}

static bool is_time(const char *name)
{
    size_t length = strlen(name);
    return length > 3 && strcmp(name + length - 3, "_at") == 0;
}

json_t *record_time(int64_t wall_ms)
{
    char text[40];
    struct tm tm;
    time_t seconds = (time_t)(wall_ms / 1000);
    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return NULL;
    return json_string(text);
}

int64_t record_parse_time(const char *text)
{
    struct tm utc = {0};
    const char *end = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return end == NULL || *end != '\0' ? -1 : (int64_t)timegm(&utc) * 1000;
}

bool record_show(json_t *record)
{
    const char *name;
    json_t *value;
    (void)json_object_del(record, "in");
    if (json_object_get(record, "held") != NULL &&
        json_object_set_new(record, "waiting", json_integer(record_waiting(record))) != 0)
        return false;
    json_object_foreach(record, name, value)
    {
        if (is_time(name) && json_is_integer(value) &&
            json_object_set_new(record, name, record_time(json_integer_value(value))) !=
                0)
            return false;
    }
    return true;
}
