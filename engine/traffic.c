/* A message is counted under its keys in one table for each kind, and only that is done
 * under the lock: lists are sorted and written by whoever asks. */
#include "engine/traffic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/text.h"
#include "engine/heavy_hitters.h"
#include "quarantine/record.h"

enum { DAY_SIZE = 11, DAY_MS = 86400000, NO_MINUTE = -1 };

struct traffic {
    pthread_mutex_t mutex;
    char host[100];
    int64_t day; /* since 1970, UTC, of what is in the tables */
    bool changed;
    struct heavy_hitters tables[TRAFFIC_KINDS];
    struct hour hour;
    bool hour_changed;
};

struct traffic *traffic_new(const char *host)
{
    struct traffic *traffic = calloc(1, sizeof *traffic);
    if (traffic == NULL || pthread_mutex_init(&traffic->mutex, NULL) != 0) {
        free(traffic);
        return NULL;
    }
    (void)snprintf(traffic->host, sizeof traffic->host, "%s", host);
    for (size_t i = 0; i < TRAFFIC_KINDS; i++)
        heavy_hitters_init(&traffic->tables[i]);
    return traffic;
}

void traffic_free(struct traffic *traffic)
{
    if (traffic == NULL)
        return;
    (void)pthread_mutex_destroy(&traffic->mutex);
    free(traffic);
}

/* Of the day before, all but its last minute is written down already. */
static void turn_day(struct traffic *traffic, int64_t now_ms)
{
    int64_t day = now_ms / DAY_MS;
    if (day == traffic->day)
        return;
    traffic->day = day;
    for (size_t kind = 0; kind < TRAFFIC_KINDS; kind++)
        heavy_hitters_turn_day(&traffic->tables[kind]);
}

static void count_minute(struct traffic *traffic, const struct hits *hits, int64_t minute)
{
    const struct minute more = {.minute = minute,
                                .messages = hits->messages,
                                .copies = hits->copies,
                                .stopped = hits->stopped,
                                .stopped_copies = hits->stopped > 0 ? hits->copies : 0};
    hour_add(&traffic->hour, &more);
    traffic->hour_changed = true;
}

/* As the first rule with key topic charges it; NULL: none does. */
static const char *find_topic(const struct plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        if (step->rule->key == KEY_TOPIC && step->charge_count > 0 &&
            step->confirmed == NULL)
            return plan->charges[step->charge].subject;
    }
    return NULL;
}

void traffic_add(struct traffic *traffic, const struct judgement *judgement, bool stopped,
                 int64_t now_ms)
{
    char key[SUBJECT_SIZE];
    const struct facts *facts = &judgement->facts;
    int64_t minute = now_ms / HOUR_MINUTE_MS;
    const struct hits all = {1, (int64_t)facts->copies, stopped};
    if (traffic == NULL || judgement->verdict.cause == CAUSE_RELAY)
        return;
    const char *topic = find_topic(&judgement->plan);
    text_join(key, sizeof key, "client:", facts->client);
    (void)pthread_mutex_lock(&traffic->mutex);
    turn_day(traffic, now_ms);
    traffic->changed = true;
    count_minute(traffic, &all, minute);
    heavy_hitters_add(&traffic->tables[TRAFFIC_SENDERS], facts->identity, &all, minute);
    heavy_hitters_add(&traffic->tables[TRAFFIC_CLIENTS], key, &all, minute);
    if (topic != NULL)
        heavy_hitters_add(&traffic->tables[TRAFFIC_TOPICS], topic, &all, minute);
    for (size_t i = 0; i < facts->recipient_count; i++) {
        const struct recipient *recipient = &facts->recipients[i];
        const struct hits one = {1, (int64_t)recipient->copies, stopped};
        if (recipient->list == DIRECTORY_NONE)
            continue;
        text_join(key, sizeof key, "list:",
                  directory_list(judgement->view.directory, recipient->list)->address);
        heavy_hitters_add(&traffic->tables[TRAFFIC_LISTS], key, &one, minute);
    }
    (void)pthread_mutex_unlock(&traffic->mutex);
}

/* ---- the largest ---- */

struct listed {
    size_t count;
    struct heavy_hitter_total totals[HEAVY_HITTERS_MAX];
};

static json_t *show(const struct listed *listed, size_t most)
{
    json_t *array = json_array();
    for (size_t i = 0; i < listed->count && i < most; i++) {
        const struct hits *hits = &listed->totals[i].hits;
        (void)json_array_append_new(
            array,
            json_pack("{s:o, s:I, s:I, s:I}", "key", record_string(listed->totals[i].key),
                      "messages", (json_int_t)hits->messages, "copies",
                      (json_int_t)hits->copies, "stopped", (json_int_t)hits->stopped));
    }
    return array;
}

json_t *traffic_now(struct traffic *traffic, enum traffic_kind kind, size_t most,
                    int64_t now_ms)
{
    struct listed *listed = malloc(sizeof *listed);
    if (listed == NULL)
        return NULL;
    (void)pthread_mutex_lock(&traffic->mutex);
    listed->count = heavy_hitters_list(&traffic->tables[kind], now_ms / HOUR_MINUTE_MS,
                                       listed->totals);
    (void)pthread_mutex_unlock(&traffic->mutex);
    heavy_hitters_sort(listed->totals, listed->count);
    json_t *array = show(listed, most);
    free(listed);
    return array;
}

void traffic_hour(struct traffic *traffic, struct hour *out)
{
    (void)pthread_mutex_lock(&traffic->mutex);
    *out = traffic->hour;
    (void)pthread_mutex_unlock(&traffic->mutex);
}

enum status traffic_flush_hour(struct traffic *traffic, struct store *store,
                               int64_t deadline_us)
{
    struct hour hour;
    (void)pthread_mutex_lock(&traffic->mutex);
    bool changed = traffic->hour_changed;
    traffic->hour_changed = false;
    hour = traffic->hour;
    (void)pthread_mutex_unlock(&traffic->mutex);
    if (!changed)
        return STATUS_OK;
    enum status status = hour_write(&hour, store, traffic->host, deadline_us);
    if (status != STATUS_OK) {
        (void)pthread_mutex_lock(&traffic->mutex);
        traffic->hour_changed = true;
        (void)pthread_mutex_unlock(&traffic->mutex);
    }
    return status;
}

/* ---- days ---- */

/* So that a day stays below DOCUMENTS_VALUE_MAX whatever the keys. */
enum { DAY_KEYS = 50, DAY_BYTES = 4500 };

static const char *const kinds[TRAFFIC_REPORTED] = {"senders", "lists", "clients"};

static void format_day(int64_t wall_ms, char out[DAY_SIZE])
{
    char text[INSTANT_SIZE];
    instant_format(wall_ms, text);
    (void)snprintf(out, DAY_SIZE, "%.10s", text);
}

static void format_id(const struct traffic *traffic, int64_t day,
                      char out[DOCUMENTS_ID_MAX + 1])
{
    char text[DAY_SIZE];
    format_day(day * DAY_MS, text);
    (void)snprintf(out, DOCUMENTS_ID_MAX + 1, "%s %s", text, traffic->host);
}

/* Copies the tables, if anything has changed since the last time. */
static bool take_day(struct traffic *traffic, struct listed *out, int64_t *out_day)
{
    (void)pthread_mutex_lock(&traffic->mutex);
    bool changed = traffic->changed;
    traffic->changed = false;
    *out_day = traffic->day;
    for (size_t kind = 0; kind < TRAFFIC_REPORTED && changed; kind++)
        out[kind].count =
            heavy_hitters_list(&traffic->tables[kind], NO_MINUTE, out[kind].totals);
    (void)pthread_mutex_unlock(&traffic->mutex);
    return changed;
}

/* "sender:a@b" becomes "sender:HASH". What was read back is a hash already. */
static void hide(char key[HEAVY_HITTER_KEY_SIZE], const struct digest_key *hides)
{
    char *colon = strchr(key, ':');
    char hash[DIGEST_HEX_SIZE];
    if (colon == NULL || (strspn(colon + 1, "0123456789abcdef") == DIGEST_HEX_SIZE - 1 &&
                          colon[DIGEST_HEX_SIZE] == '\0'))
        return;
    digest_hex(hides, colon + 1, strlen(colon + 1), hash);
    text_join(colon + 1, HEAVY_HITTER_KEY_SIZE - (size_t)(colon + 1 - key), hash, "");
}

static void hide_all(struct listed *listed, const struct digest_key *hides)
{
    for (size_t kind = 0; kind < TRAFFIC_REPORTED; kind++) {
        for (size_t i = 0; i < listed[kind].count; i++)
            hide(listed[kind].totals[i].key, hides);
    }
}

static json_t *show_day(struct listed *listed)
{
    json_t *day = json_object();
    for (size_t kind = 0; kind < TRAFFIC_REPORTED; kind++) {
        size_t most = DAY_KEYS;
        heavy_hitters_sort(listed[kind].totals, listed[kind].count);
        json_t *array = show(&listed[kind], most);
        while (most > 0 && json_dumpb(array, NULL, 0, JSON_COMPACT) > DAY_BYTES) {
            json_decref(array);
            array = show(&listed[kind], --most);
        }
        (void)json_object_set_new(day, kinds[kind], array);
    }
    return day;
}

static enum status write_day(const struct traffic *traffic, struct store *store,
                             struct listed *listed, int64_t day, int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1];
    json_t *shown = show_day(listed);
    char *value = json_dumps(shown, JSON_COMPACT);
    const struct change change = {
        .collection = COLLECTION_TRAFFIC, .id = id, .value = value};
    format_id(traffic, day, id);
    enum status status =
        value == NULL ? STATUS_NOMEM : store_change(store, &change, 1, deadline_us);
    free(value);
    json_decref(shown);
    return status;
}

enum status traffic_flush(struct traffic *traffic, struct store *store,
                          const struct digest_key *hides, int64_t deadline_us)
{
    int64_t day;
    enum status status = STATUS_OK;
    struct listed *listed = calloc(TRAFFIC_REPORTED, sizeof *listed);
    if (listed == NULL)
        return STATUS_NOMEM;
    if (take_day(traffic, listed, &day)) {
        if (hides != NULL)
            hide_all(listed, hides);
        status = write_day(traffic, store, listed, day, deadline_us);
    }
    free(listed);
    if (status != STATUS_OK) {
        (void)pthread_mutex_lock(&traffic->mutex);
        traffic->changed = true;
        (void)pthread_mutex_unlock(&traffic->mutex);
    }
    return status;
}

/* Adds what was written down to the day in the tables, which no other thread uses yet. */
static void add_written(struct traffic *traffic, const char *value)
{
    json_t *day = record_load(value);
    for (size_t kind = 0; kind < TRAFFIC_REPORTED; kind++) {
        size_t i;
        const json_t *item;
        json_array_foreach(json_object_get(day, kinds[kind]), i, item)
        {
            const char *key = record_text(item, "key");
            const struct hits hits = {record_number(item, "messages"),
                                      record_number(item, "copies"),
                                      record_number(item, "stopped")};
            if (key[0] != '\0')
                heavy_hitters_add(&traffic->tables[kind], key, &hits, NO_MINUTE);
        }
    }
    json_decref(day);
}

enum status traffic_load(struct traffic *traffic, struct store *store, int64_t now_ms,
                         int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1];
    char *value = NULL;
    turn_day(traffic, now_ms);
    format_id(traffic, traffic->day, id);
    enum status status = store_get(store, COLLECTION_TRAFFIC, id, deadline_us, &value);
    if (status == STATUS_OK)
        add_written(traffic, value);
    free(value);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = hour_read(&traffic->hour, store, traffic->host, deadline_us);
    return status;
}

/* Days are added up from the first that counts, or those before it are forgotten. */
struct days {
    char from[DAY_SIZE];
    int64_t from_ms;
    struct traffic *sum;
    struct store *store;
    int64_t deadline_us;
};

static enum status add_day(void *context, const char *id, const char *value)
{
    const struct days *days = context;
    if (strncmp(id, days->from, DAY_SIZE - 1) >= 0)
        add_written(days->sum, value);
    return STATUS_OK;
}

enum status traffic_report(struct store *store, int64_t since_ms, size_t most,
                           int64_t deadline_us, json_t *out[TRAFFIC_REPORTED])
{
    struct days days = {.sum = traffic_new("")};
    struct listed *listed = malloc(sizeof *listed);
    format_day(since_ms, days.from);
    enum status status =
        days.sum == NULL || listed == NULL
            ? STATUS_NOMEM
            : store_list(store, COLLECTION_TRAFFIC, deadline_us, add_day, &days);
    for (size_t kind = 0; kind < TRAFFIC_REPORTED && status == STATUS_OK; kind++) {
        listed->count =
            heavy_hitters_list(&days.sum->tables[kind], NO_MINUTE, listed->totals);
        heavy_hitters_sort(listed->totals, listed->count);
        out[kind] = show(listed, most);
    }
    traffic_free(days.sum);
    free(listed);
    return status;
}

static enum status forget_day(void *context, const char *id, const char *value)
{
    const struct days *days = context;
    const struct change change = {.collection = COLLECTION_TRAFFIC, .id = id};
    return strncmp(id, days->from, DAY_SIZE - 1) < 0 ||
                   hour_is_before(id, value, days->from_ms)
               ? store_change(days->store, &change, 1, days->deadline_us)
               : STATUS_OK;
}

enum status traffic_prune(struct store *store, int64_t before_ms, int64_t deadline_us)
{
    struct days days = {.from_ms = before_ms, .store = store, .deadline_us = deadline_us};
    format_day(before_ms, days.from);
    return store_list(store, COLLECTION_TRAFFIC, deadline_us, forget_day, &days);
}
