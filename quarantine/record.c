/* Records contain what strangers wrote: each text is cut and cleaned before it goes in.
 * What is read is never trusted to have the right type, since other versions write, too.
 */
#include "quarantine/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/smtp_address.h"
#include "base/utf8.h"

enum {
    SENDER_NOTICE_NAMES = 3, /* that are told of what was addressed */
    HOSTS_MAX = 8,
};

static const int64_t number_max = INT64_C(1) << 53;

json_t *record_string(const char *text)
{
    struct text clean = {0};
    utf8_add(&clean, text, strnlen(text, RECORD_TEXT_MAX));
    json_t *json = clean.failed ? NULL : json_stringn(text_string(&clean), clean.length);
    text_clear(&clean);
    return json;
}

/* As many as fit, max at most, up to a NULL; of a long one only a part. */
static json_t *make_strings(const char *const *texts, size_t max)
{
    json_t *array = json_array();
    size_t bytes = 0;
    for (size_t i = 0; array != NULL && i < max && texts[i] != NULL; i++) {
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

static json_t *make_number(int64_t number)
{
    return number < 0 ? json_null() : json_integer(number);
}

/* Not if the sender is not an address, or had to be cut. */
static bool may_tell(const struct event *event)
{
    return event->tell && strlen(event->sender) <= RECORD_TEXT_MAX &&
           smtp_address_is_valid(event->sender);
}

json_t *record_load(const char *text)
{
    const char *line = text[0] == '{' ? NULL : strchr(text, '\n');
    json_t *record = json_loads(line == NULL ? text : line + 1, JSON_ALLOW_NUL, NULL);
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

bool record_set_number(json_t *record, const char *name, int64_t number)
{
    return json_object_set_new(record, name, json_integer(number)) == 0;
}

bool record_add_number(json_t *record, const char *name, int64_t more)
{
    int64_t number = record_number(record, name) + more;
    return more == 0 || record_set_number(record, name, number < 0 ? 0 : number);
}

static bool raise(json_t *record, const char *name, int64_t number)
{
    return number <= record_number(record, name) ||
           record_set_number(record, name, number);
}

static bool lower(json_t *record, const char *name, int64_t number)
{
    return number >= record_number(record, name) ||
           record_set_number(record, name, number);
}

/* The array of that name, made if need be; NULL without memory. */
static json_t *obtain(json_t *incident, const char *name, bool array)
{
    json_t *found = json_object_get(incident, name);
    if (array ? json_is_array(found) : json_is_object(found))
        return found;
    found = array ? json_array() : json_object();
    return json_object_set_new(incident, name, found) == 0 ? found : NULL;
}

json_t *record_find_sender_notice(const json_t *incident, const char *to)
{
    size_t i;
    json_t *notice;
    json_array_foreach(json_object_get(incident, "letters"), i, notice)
    {
        if (strcmp(record_text(notice, "to"), to) == 0)
            return notice;
    }
    return NULL;
}

/* By whose answer it is let go; not one that would have to be cut. */
static bool add_confirmed_by(json_t *record, const struct event *event)
{
    return event->confirmed_by == NULL || strlen(event->confirmed_by) > RECORD_TEXT_MAX ||
           (json_object_set_new(record, "confirmed_by",
                                record_string(event->confirmed_by)) == 0 &&
            record_set_number(record, "usual", event->usual));
}

/* Notes each sender who is to be told that mail is held, once, as far as an incident has
 * room. */
static bool add_sender_notice(json_t *incident, const struct event *event)
{
    json_t *sender_notices = obtain(incident, "letters", true);
    if (sender_notices == NULL)
        return false;
    json_t *sender = record_string(event->sender);
    if (sender == NULL || json_array_size(sender_notices) >= RECORD_SENDER_NOTICES_MAX ||
        json_dumpb(sender_notices, NULL, 0, JSON_COMPACT) > RECORD_SENDER_NOTICES_BYTES ||
        record_find_sender_notice(incident, json_string_value(sender)) != NULL) {
        bool failed = sender == NULL;
        json_decref(sender);
        return !failed;
    }
    bool lists = event->lists[0] != NULL;
    return json_array_append_new(
               sender_notices,
               json_pack(
                   "{s:o, s:o, s:b, s:I, s:o, s:o, s:I}", "to", sender, "client",
                   record_string(event->client == NULL ? "" : event->client), "login",
                   strncmp(event->identity, "login:", 6) == 0, "since",
                   (json_int_t)event->now_ms, "reach", make_number(event->reach), "names",
                   make_strings(lists ? event->lists : event->addressed,
                                SENDER_NOTICE_NAMES),
                   "count",
                   (json_int_t)(lists ? event->list_count : event->addressed_count))) ==
               0 &&
           (!event->confirm ||
            add_confirmed_by(
                json_array_get(sender_notices, json_array_size(sender_notices) - 1),
                event));
}

/* The relays where it happened, each once. */
static bool add_host(json_t *incident, const struct stop *stop)
{
    size_t i;
    const json_t *known;
    json_t *hosts = obtain(incident, "hosts", true);
    if (hosts == NULL || stop->host == NULL || json_array_size(hosts) >= HOSTS_MAX)
        return hosts != NULL;
    json_t *host = record_string(stop->host);
    json_array_foreach(hosts, i, known)
    {
        if (json_equal(known, host)) {
            json_decref(host);
            return true;
        }
    }
    return json_array_append_new(hosts, host) == 0;
}

static bool add_sender(json_t *incident, const struct stop *stop)
{
    if (stop->party != NULL && !record_add_party(incident, stop->party, stop->held))
        return false;
    if (stop->held == 0 || !may_tell(stop->event))
        return true;
    if (!json_is_true(json_object_get(incident, "tell")) &&
        (json_object_set_new(incident, "sender", record_string(stop->event->sender)) !=
             0 ||
         json_object_set_new(incident, "tell", json_true()) != 0))
        return false;
    return add_sender_notice(incident, stop->event);
}

static size_t find_told(const json_t *told, const char *sender)
{
    size_t i;
    const json_t *known;
    json_array_foreach(told, i, known)
    {
        if (strcmp(json_string_value(known), sender) == 0)
            return i;
    }
    return json_array_size(told);
}

bool record_tell_refusal(json_t *incident, const char *sender)
{
    json_t *told = obtain(incident, "refusal_told", true);
    if (told == NULL || find_told(told, sender) < json_array_size(told))
        return false;
    return json_array_size(told) >= RECORD_TOLD_MAX ||
           json_array_append_new(told, json_string(sender)) == 0;
}

void record_untell_refusal(json_t *incident, const char *sender)
{
    json_t *told = json_object_get(incident, "refusal_told");
    (void)json_array_remove(told, find_told(told, sender));
}

int64_t record_party_waiting(const json_t *incident, const char *party)
{
    return record_number(json_object_get(incident, "parties"), party);
}

/* Makes room for one more: the party with least is forgotten. */
static void forget_smallest(json_t *parties)
{
    const char *who;
    json_t *count;
    char smallest[DIGEST_ID_SIZE] = "";
    json_int_t least = 0;
    json_object_foreach(parties, who, count)
    {
        if (smallest[0] != '\0' && json_integer_value(count) >= least)
            continue;
        least = json_integer_value(count);
        (void)snprintf(smallest, sizeof smallest, "%s", who);
    }
    (void)json_object_del(parties, smallest);
}

bool record_add_party(json_t *incident, const char *party, int64_t more)
{
    if (party[0] == '\0' || more == 0)
        return true;
    json_t *parties = obtain(incident, "parties", false);
    if (parties == NULL)
        return false;
    bool known = json_object_get(parties, party) != NULL;
    int64_t number = record_number(parties, party) + more;
    if (number <= 0) {
        (void)json_object_del(parties, party);
        return true;
    }
    if (!known && json_object_size(parties) >= RECORD_PARTIES_MAX)
        forget_smallest(parties);
    return json_object_set_new(parties, party, json_integer(number)) == 0;
}

static json_t *new_incident(const char *id, const struct stop *stop)
{
    const struct event *event = stop->event;
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:i, s:I, s:I, s:o, s:I, s:o, s:I, "
        "s:o, s:I, s:o, s:o, s:I, s:s, s:I, s:I, s:b, s:i, s:b}",
        "id", id, "rule", record_string(event->rule), "key",
        record_string(event->subject), "fingerprint", record_string(event->fingerprint),
        "identity", record_string(event->identity), "sender",
        record_string(event->sender), "tell", may_tell(event), "held",
        (json_int_t)stop->held, "released", 0, "refused", (json_int_t)stop->refused,
        "deferred", (json_int_t)stop->deferred, "reach", make_number(event->reach),
        "copies", (json_int_t)event->copies, "lists",
        make_strings(event->lists, EVENT_LISTS_MAX), "list_count",
        (json_int_t)event->list_count, "addressed",
        make_strings(event->addressed, EVENT_ADDRESSED_MAX), "addressed_count",
        (json_int_t)event->addressed_count, "limit",
        record_string(event->limit == NULL ? "" : event->limit), "before",
        make_number(event->before), "would", (json_int_t)stop->would, "action",
        action_name(event->action), "opened_at", (json_int_t)stop->first_ms, "last_at",
        (json_int_t)event->now_ms, "open", 1, "notices", 0, "sender_told", 0);
}

/* "days": {"2026-11-30": [held, refused, deferred, would]}, in UTC. */
static bool add_day(json_t *incident, const struct stop *stop)
{
    char day[INSTANT_SIZE];
    const int64_t more[] = {stop->held, stop->refused, stop->deferred, stop->would};
    json_t *days = obtain(incident, "days", false);
    instant_format(stop->event->now_ms, day);
    day[strcspn(day, "T")] = '\0';
    json_t *counts = json_object_get(days, day);
    if (days == NULL)
        return false;
    if (counts == NULL) {
        counts = json_pack("[i, i, i, i]", 0, 0, 0, 0);
        if (json_object_size(days) >= RECORD_DAYS_MAX)
            (void)json_object_del(days, json_object_iter_key(json_object_iter(days)));
        if (json_object_set_new(days, day, counts) != 0)
            return false;
    }
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        json_int_t number = json_integer_value(json_array_get(counts, i));
        if (json_array_set_new(counts, i, json_integer(number + more[i])) != 0)
            return false;
    }
    return true;
}

/* Of several, the last one is named. */
static bool add_permit(json_t *incident, const struct stop *stop)
{
    const struct event_permit *permit = &stop->event->permit;
    return permit->id == NULL ||
           json_object_set_new(
               incident, "permit",
               json_pack("{s:o, s:I, s:I}", "id", record_string(permit->id), "copies",
                         (json_int_t)permit->copies, "left", (json_int_t)permit->left)) ==
               0;
}

json_t *record_new_incident(const char *id, const struct stop *stop)
{
    json_t *incident = new_incident(id, stop);
    if (incident != NULL && add_permit(incident, stop) && add_host(incident, stop) &&
        add_sender(incident, stop) && add_day(incident, stop))
        return incident;
    json_decref(incident);
    return NULL;
}

/* [fingerprint, subject, copies] of each window; not of a subject that had to be cut. */
static json_t *make_samples(const struct event *event)
{
    json_t *samples = json_array();
    for (size_t i = 0; i < event->charge_count; i++) {
        const struct charge *charge = &event->charges[i];
        if (charge->surge == NULL || strlen(charge->subject) > RECORD_TEXT_MAX ||
            json_array_size(samples) == RECORD_SAMPLES_MAX)
            continue;
        (void)json_array_append_new(samples, json_pack("[s, o, I]", charge->fingerprint,
                                                       record_string(charge->subject),
                                                       (json_int_t)charge->cost));
    }
    return samples;
}

json_t *record_new_hold(const struct event *event, const char *id, const char *incident,
                        const char *host, const struct party *party)
{
    json_t *hold = json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:I, s:s, s:o, s:b, "
        "s:o, s:I, s:b, s:b, s:I, s:o, s:o, s:[s, s, s], s:I}",
        "id", id, "incident", incident, "rule", record_string(event->rule), "identity",
        record_string(event->identity), "lists",
        make_strings(event->lists, EVENT_LISTS_MAX), "list_count",
        (json_int_t)event->list_count, "reach", make_number(event->reach), "host",
        record_string(host), "queue_id", record_string(event->queue_id), "held_at",
        (json_int_t)event->now_ms, "state", "held", "sender",
        record_string(event->sender), "tell", may_tell(event), "addressed",
        make_strings(event->addressed, EVENT_ADDRESSED_MAX), "addressed_count",
        (json_int_t)event->addressed_count, "restored", false, "pulled", event->recalled,
        "arrived_s", (json_int_t)event->arrived_s, "teaches", make_samples(event),
        "client", record_string(event->client == NULL ? "" : event->client), "party",
        party->identity, party->client, party->own, "copies", (json_int_t)event->copies);
    if (hold != NULL && add_confirmed_by(hold, event))
        return hold;
    json_decref(hold);
    return NULL;
}

static void take_hash(const json_t *party, size_t index, char out[DIGEST_ID_SIZE])
{
    const char *hash = json_string_value(json_array_get(party, index));
    (void)snprintf(out, DIGEST_ID_SIZE, "%s", hash == NULL ? "" : hash);
}

void record_party(const json_t *hold, struct party *out)
{
    const json_t *party = json_object_get(hold, "party");
    take_hash(party, 0, out->identity);
    take_hash(party, 1, out->client);
    take_hash(party, 2, out->own);
}

bool record_grow(json_t *incident, const struct stop *stop)
{
    return record_add_number(incident, "held", stop->held) &&
           record_add_number(incident, "refused", stop->refused) &&
           record_add_number(incident, "deferred", stop->deferred) &&
           record_add_number(incident, "would", stop->would) &&
           record_add_number(incident, "copies", stop->event->copies) &&
           add_day(incident, stop) && raise(incident, "reach", stop->event->reach) &&
           lower(incident, "opened_at", stop->first_ms) &&
           raise(incident, "last_at", stop->event->now_ms) &&
           add_permit(incident, stop) && add_host(incident, stop) &&
           add_sender(incident, stop);
}

/* One hold's incident, as it is while the store is away, has one party and one notice. */
bool record_merge(json_t *incident, const json_t *other)
{
    size_t i;
    const json_t *name;
    void *party = json_object_iter(json_object_get(other, "parties"));
    const json_t *notice = json_array_get(json_object_get(other, "letters"), 0);
    const json_t *host = json_array_get(json_object_get(other, "hosts"), 0);
    const json_t *permit = json_object_get(other, "permit");
    struct event event = {
        .identity = record_text(other, "identity"),
        .permit = {.id = json_string_value(json_object_get(permit, "id")),
                   .copies = record_number(permit, "copies"),
                   .left = record_number(permit, "left")},
        .sender = record_text(other, "sender"),
        .client = record_text(notice, "client"),
        .tell = json_is_true(json_object_get(other, "tell")),
        .confirmed_by = json_string_value(json_object_get(notice, "confirmed_by")),
        .confirm = json_object_get(notice, "confirmed_by") != NULL,
        .usual = record_number(notice, "usual"),
        .addressed_count = (size_t)record_number(notice, "count"),
        .reach = record_number(other, "reach"),
        .copies = record_number(other, "copies"),
        .now_ms = record_number(other, "last_at")};
    const struct stop stop = {.event = &event,
                              .party = json_object_iter_key(party),
                              .host = json_string_value(host),
                              .held = record_number(other, "held"),
                              .refused = record_number(other, "refused"),
                              .deferred = record_number(other, "deferred"),
                              .first_ms = record_number(other, "opened_at")};
    json_array_foreach(json_object_get(notice, "names"), i, name)
    {
        if (i < SENDER_NOTICE_NAMES)
            event.addressed[i] = json_string_value(name);
    }
    return record_grow(incident, &stop);
}

int64_t record_waiting(const json_t *incident)
{
    int64_t waiting = record_number(incident, "held") - record_number(incident, "ended");
    return waiting > 0 ? waiting : 0;
}

bool record_is_over(const char *state)
{
    static const char *const ends[] = {"released", "refused", "deleted", "gone"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (strcmp(state, ends[i]) == 0)
            return true;
    }
    return false;
}

bool record_is_counted(const json_t *hold)
{
    return json_is_true(json_object_get(hold, "counted"));
}

bool record_is_paced(const json_t *hold)
{
    return json_is_true(json_object_get(hold, "paced"));
}

bool record_close(json_t *incident)
{
    (void)json_object_del(incident, "open_key");
    return json_object_set_new(incident, "open", json_false()) == 0;
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
    char text[INSTANT_SIZE];
    instant_format(wall_ms, text);
    return text[0] == '\0' ? NULL : json_string(text);
}

int64_t record_parse_time(const char *text)
{
    int64_t wall_ms;
    return instant_parse(text, &wall_ms) ? wall_ms : -1;
}

bool record_show(json_t *record)
{
    const char *name;
    json_t *value;
    (void)json_object_del(record, "open_key");
    (void)json_object_del(record, "party");
    (void)json_object_del(record, "parties");
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
