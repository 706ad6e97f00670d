/* A table of fixed size for each kind. A newcomer takes the place of the smallest, and
 * its numbers of the day with it: so what is large is never lost, and at most overrated
 * by what that one had. */
#include "engine/traffic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "quarantine/record.h"

enum { KEY_SIZE = 200, CHAINS = 1024, NOWHERE = -1, DAY_SIZE = 11, MINUTE_MS = 60000 };

struct tally {
    int64_t messages, copies, stopped;
};

struct traffic_entry {
    char key[KEY_SIZE]; /* "": free */
    int64_t minute;     /* of the last message */
    struct tally minutes[TRAFFIC_MINUTES], day;
    int next;
};

struct traffic_table {
    int chains[CHAINS];
    size_t count;
    struct traffic_entry entries[TRAFFIC_KEYS_MAX];
};

struct traffic {
    pthread_mutex_t mutex;
    char host[100];
    char day[DAY_SIZE]; /* "2026-11-30", UTC, of what is in the tables */
    bool changed;
    struct traffic_table tables[TRAFFIC_KINDS];
};

static void empty(struct traffic_table *table)
{
    table->count = 0;
    for (size_t i = 0; i < CHAINS; i++)
        table->chains[i] = NOWHERE;
}

struct traffic *traffic_new(const char *host)
{
    struct traffic *traffic = calloc(1, sizeof *traffic);
    if (traffic == NULL || pthread_mutex_init(&traffic->mutex, NULL) != 0) {
        free(traffic);
        return NULL;
    }
    (void)snprintf(traffic->host, sizeof traffic->host, "%s", host);
    for (size_t i = 0; i < TRAFFIC_KINDS; i++)
        empty(&traffic->tables[i]);
    return traffic;
}

void traffic_free(struct traffic *traffic)
{
    if (traffic == NULL)
        return;
    (void)pthread_mutex_destroy(&traffic->mutex);
    free(traffic);
}

/* ---- the table ---- */

/* FNV-1a: who provokes collisions makes one chain of 512 entries, no more. */
static int *chain_of(struct traffic_table *table, const char *key)
{
    uint32_t hash = 2166136261;
    for (; *key != '\0'; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619;
    return &table->chains[hash % CHAINS];
}

static struct traffic_entry *find_smallest(struct traffic_table *table)
{
    struct traffic_entry *smallest = &table->entries[0];
    for (size_t i = 1; i < table->count; i++)
        if (table->entries[i].day.copies < smallest->day.copies)
            smallest = &table->entries[i];
    return smallest;
}

static struct traffic_entry *obtain(struct traffic_table *table, const char *text)
{
    char key[KEY_SIZE];
    (void)snprintf(key, sizeof key, "%s", text);
    int *chain = chain_of(table, key);
    for (int i = *chain; i != NOWHERE; i = table->entries[i].next)
        if (strcmp(table->entries[i].key, key) == 0)
            return &table->entries[i];
    struct traffic_entry *entry = table->count < TRAFFIC_KEYS_MAX
                                      ? &table->entries[table->count++]
                                      : find_smallest(table);
    int number = (int)(entry - table->entries);
    struct tally day = entry->day;
    if (entry->key[0] != '\0') {
        int *link = chain_of(table, entry->key);
        while (*link != number)
            link = &table->entries[*link].next;
        *link = entry->next;
    }
    *entry = (struct traffic_entry){.day = day, .next = *chain};
    memcpy(entry->key, key, sizeof key);
    *chain = number;
    return entry;
}

static void add_tally(struct tally *to, const struct tally *more)
{
    to->messages += more->messages;
    to->copies += more->copies;
    to->stopped += more->stopped;
}

/* Minutes without mail count nothing. */
static void advance(struct traffic_entry *entry, int64_t minute)
{
    int64_t passed = minute - entry->minute;
    if (passed < 0 || passed > TRAFFIC_MINUTES)
        passed = TRAFFIC_MINUTES;
    for (int64_t i = 1; i <= passed; i++)
        entry->minutes[(size_t)(entry->minute + i) % TRAFFIC_MINUTES] = (struct tally){0};
    if (passed == TRAFFIC_MINUTES)
        memset(entry->minutes, 0, sizeof entry->minutes);
    entry->minute = minute;
}

static void count(struct traffic_table *table, const char *key, const struct tally *more,
                  int64_t minute)
{
    struct traffic_entry *entry = obtain(table, key);
    advance(entry, minute);
    add_tally(&entry->minutes[(size_t)minute % TRAFFIC_MINUTES], more);
    add_tally(&entry->day, more);
}

static void format_day(int64_t wall_ms, char out[DAY_SIZE])
{
    char text[INSTANT_SIZE];
    instant_format(wall_ms, text);
    (void)snprintf(out, DAY_SIZE, "%.10s", text);
}

/* What the day before had is written down, but for its last minute. */
static void turn_day(struct traffic *traffic, int64_t now_ms)
{
    char day[DAY_SIZE];
    format_day(now_ms, day);
    if (strcmp(day, traffic->day) == 0)
        return;
    memcpy(traffic->day, day, sizeof day);
    for (size_t kind = 0; kind < TRAFFIC_KINDS; kind++)
        for (size_t i = 0; i < traffic->tables[kind].count; i++)
            traffic->tables[kind].entries[i].day = (struct tally){0};
}

void traffic_add(struct traffic *traffic, const struct judgement *judgement, bool stopped,
                 int64_t now_ms)
{
    char key[SUBJECT_SIZE];
    const struct facts *facts = &judgement->facts;
    int64_t minute = now_ms / MINUTE_MS;
    const struct tally all = {1, (int64_t)facts->copies, stopped};
    if (traffic == NULL || judgement->verdict.cause == CAUSE_RELAY)
        return;
    (void)pthread_mutex_lock(&traffic->mutex);
    turn_day(traffic, now_ms);
    traffic->changed = true;
    count(&traffic->tables[TRAFFIC_SENDERS], facts->identity, &all, minute);
    (void)snprintf(key, sizeof key, "client:%s", facts->client);
    count(&traffic->tables[TRAFFIC_CLIENTS], key, &all, minute);
    for (size_t i = 0; i < facts->recipient_count; i++) {
        const struct recipient *recipient = &facts->recipients[i];
        const struct tally one = {1, (int64_t)recipient->copies, stopped};
        if (recipient->list == DIRECTORY_NONE)
            continue;
        (void)snprintf(
            key, sizeof key, "list:%s",
            directory_list(judgement->view.directory, recipient->list)->address);
        count(&traffic->tables[TRAFFIC_LISTS], key, &one, minute);
    }
    (void)pthread_mutex_unlock(&traffic->mutex);
}

/* ---- the largest ---- */

struct traffic_rank {
    char key[KEY_SIZE];
    struct tally tally;
};

static int compare(const void *left, const void *right)
{
    const struct traffic_rank *a = left;
    const struct traffic_rank *b = right;
    int order = (b->tally.copies > a->tally.copies) - (b->tally.copies < a->tally.copies);
    return order != 0 ? order : strcmp(a->key, b->key);
}

/* Of now_ms's last minutes; below 0: of the day. Under the lock. */
static size_t rank(struct traffic_table *table, int64_t now_ms, struct traffic_rank *out)
{
    size_t used = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct traffic_entry *entry = &table->entries[i];
        struct tally tally = now_ms < 0 ? entry->day : (struct tally){0};
        if (now_ms >= 0)
            advance(entry, now_ms / MINUTE_MS);
        for (size_t minute = 0; now_ms >= 0 && minute < TRAFFIC_MINUTES; minute++)
            add_tally(&tally, &entry->minutes[minute]);
        if (tally.messages == 0)
            continue;
        memcpy(out[used].key, entry->key, KEY_SIZE);
        out[used++].tally = tally;
    }
    qsort(out, used, sizeof *out, compare);
    return used;
}

static json_t *show(const struct traffic_rank *ranks, size_t count, size_t most)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && i < most; i++) {
        const struct tally *tally = &ranks[i].tally;
        (void)json_array_append_new(
            array,
            json_pack("{s:o, s:I, s:I, s:I}", "key", record_string(ranks[i].key),
                      "messages", (json_int_t)tally->messages, "copies",
                      (json_int_t)tally->copies, "stopped", (json_int_t)tally->stopped));
    }
    return array;
}

json_t *traffic_now(struct traffic *traffic, enum traffic_kind kind, size_t most,
                    int64_t now_ms)
{
    struct traffic_rank *ranks = calloc(TRAFFIC_KEYS_MAX, sizeof *ranks);
    if (ranks == NULL)
        return NULL;
    (void)pthread_mutex_lock(&traffic->mutex);
    size_t count = rank(&traffic->tables[kind], now_ms, ranks);
    (void)pthread_mutex_unlock(&traffic->mutex);
    json_t *array = show(ranks, count, most);
    free(ranks);
    return array;
}

/* ---- days ---- */

/* So that a day stays below DOCUMENTS_VALUE_MAX whatever the keys. */
enum { DAY_KEYS = 50, DAY_BYTES = 4500 };

static const char *const kinds[] = {"senders", "lists", "clients"};

static json_t *show_day(struct traffic *traffic, struct traffic_rank *ranks)
{
    json_t *day = json_pack("{s:o, s:s}", "host", record_string(traffic->host), "day",
                            traffic->day);
    for (size_t kind = 0; kind < TRAFFIC_KINDS; kind++) {
        size_t most = DAY_KEYS;
        size_t count = rank(&traffic->tables[kind], -1, ranks);
        json_t *array = show(ranks, count, most);
        while (most > 0 && json_dumpb(array, NULL, 0, JSON_COMPACT) > DAY_BYTES) {
            json_decref(array);
            array = show(ranks, count, --most);
        }
        (void)json_object_set_new(day, kinds[kind], array);
    }
    return day;
}

static void format_id(const char *host, const char *day, char out[DOCUMENTS_ID_MAX + 1])
{
    (void)snprintf(out, DOCUMENTS_ID_MAX + 1, "%s %s", day, host);
}

enum status traffic_flush(struct traffic *traffic, struct store *store,
                          int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1];
    struct traffic_rank *ranks = calloc(TRAFFIC_KEYS_MAX, sizeof *ranks);
    if (ranks == NULL)
        return STATUS_NOMEM;
    (void)pthread_mutex_lock(&traffic->mutex);
    json_t *day = traffic->changed ? show_day(traffic, ranks) : NULL;
    format_id(traffic->host, traffic->day, id);
    traffic->changed = false;
    (void)pthread_mutex_unlock(&traffic->mutex);
    free(ranks);
    if (day == NULL)
        return STATUS_OK;
    char *value = json_dumps(day, JSON_COMPACT);
    const struct change change = {
        .collection = COLLECTION_TRAFFIC, .id = id, .value = value};
    enum status status =
        value == NULL ? STATUS_NOMEM : store_change(store, &change, 1, deadline_us);
    free(value);
    json_decref(day);
    if (status != STATUS_OK) {
        (void)pthread_mutex_lock(&traffic->mutex);
        traffic->changed = true;
        (void)pthread_mutex_unlock(&traffic->mutex);
    }
    return status;
}

static struct tally tally_of(const json_t *item)
{
    return (struct tally){record_number(item, "messages"), record_number(item, "copies"),
                          record_number(item, "stopped")};
}

enum status traffic_load(struct traffic *traffic, struct store *store, int64_t now_ms,
                         int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1];
    char *value = NULL;
    turn_day(traffic, now_ms); /* no other thread uses it yet */
    format_id(traffic->host, traffic->day, id);
    enum status status = store_get(store, COLLECTION_TRAFFIC, id, deadline_us, &value);
    json_t *day = status == STATUS_OK ? record_load(value) : NULL;
    for (size_t kind = 0; kind < TRAFFIC_KINDS; kind++) {
        size_t i;
        const json_t *item;
        json_array_foreach(json_object_get(day, kinds[kind]), i, item)
        {
            struct tally tally = tally_of(item);
            if (record_text(item, "key")[0] != '\0')
                add_tally(&obtain(&traffic->tables[kind], record_text(item, "key"))->day,
                          &tally);
        }
    }
    json_decref(day);
    free(value);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

struct traffic_days {
    char from[DAY_SIZE];               /* the first that counts */
    struct traffic *sum;               /* of a report */
    char (*old)[DOCUMENTS_ID_MAX + 1]; /* of a pruning */
    size_t old_count;
};

enum { OLD_MAX = 200 }; /* at once */

static enum status add_day(void *context, const char *id, const char *value)
{
    struct traffic_days *days = context;
    json_t *day = strncmp(id, days->from, DAY_SIZE - 1) >= 0 ? record_load(value) : NULL;
    for (size_t kind = 0; kind < TRAFFIC_KINDS; kind++) {
        size_t i;
        const json_t *item;
        json_array_foreach(json_object_get(day, kinds[kind]), i, item)
        {
            struct tally tally = tally_of(item);
            add_tally(&obtain(&days->sum->tables[kind], record_text(item, "key"))->day,
                      &tally);
        }
    }
    json_decref(day);
    return STATUS_OK;
}

enum status traffic_report(struct store *store, int64_t since_ms, size_t most,
                           int64_t deadline_us, json_t *out[TRAFFIC_KINDS])
{
    struct traffic_days days = {.sum = traffic_new("")};
    struct traffic_rank *ranks = calloc(TRAFFIC_KEYS_MAX, sizeof *ranks);
    format_day(since_ms, days.from);
    enum status status =
        days.sum == NULL || ranks == NULL
            ? STATUS_NOMEM
            : store_list(store, COLLECTION_TRAFFIC, deadline_us, add_day, &days);
    for (size_t kind = 0; kind < TRAFFIC_KINDS && status == STATUS_OK; kind++)
        out[kind] = show(ranks, rank(&days.sum->tables[kind], -1, ranks), most);
    traffic_free(days.sum);
    free(ranks);
    return status;
}

static enum status find_old(void *context, const char *id, const char *value)
{
    struct traffic_days *days = context;
    (void)value;
    if (strncmp(id, days->from, DAY_SIZE - 1) < 0 && days->old_count < OLD_MAX)
        (void)snprintf(days->old[days->old_count++], DOCUMENTS_ID_MAX + 1, "%s", id);
    return STATUS_OK;
}

enum status traffic_prune(struct store *store, int64_t before_ms, int64_t deadline_us)
{
    struct traffic_days days = {.old = calloc(OLD_MAX, sizeof *days.old)};
    format_day(before_ms, days.from);
    enum status status = days.old == NULL ? STATUS_NOMEM
                                          : store_list(store, COLLECTION_TRAFFIC,
                                                       deadline_us, find_old, &days);
    for (size_t i = 0; i < days.old_count && status == STATUS_OK; i++) {
        const struct change change = {.collection = COLLECTION_TRAFFIC,
                                      .id = days.old[i]};
        status = store_change(store, &change, 1, deadline_us);
    }
    free(days.old);
    return status;
}
