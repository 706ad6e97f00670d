/* Rule and key together are one string; its number is its place in the array. To forget
 * some, both are made anew of those that stay. */
#include "logs/usage_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/intern.h"
#include "base/text.h"
#include "policy/message.h"

struct entry {
    struct usage usage;
    const struct rule *rule;
};

struct usage_table {
    const struct policy *policy;
    size_t max;
    struct intern *names; /* "RULE KEY" */
    struct entry *entries;
    size_t count;
    size_t *forgotten; /* of each rule */
    int64_t missed;
    bool full;              /* forgetting did not help */
    struct digest_key hash; /* of clients */
    size_t client_room;     /* of all keys */
    bool clients_full;      /* likewise of clients */
};

struct usage_table *usage_table_new(const struct policy *policy, size_t max)
{
    struct usage_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->policy = policy;
    table->max = max;
    digest_key_random(&table->hash);
    table->names = intern_new();
    table->forgotten = calloc(policy->rule_count + 1, sizeof *table->forgotten);
    if (table->names == NULL || table->forgotten == NULL) {
        usage_table_free(table);
        return NULL;
    }
    return table;
}

static bool counts_clients(const struct rule *rule)
{
    return rule->has_limit && rule->unit == UNIT_CLIENTS;
}

static void clear_entry(struct usage_table *table, struct entry *entry)
{
    free(entry->usage.window);
    if (!counts_clients(entry->rule))
        return;
    free(entry->usage.clients.set.entries);
    table->client_room -= entry->usage.clients.room;
}

void usage_table_free(struct usage_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->count; i++)
        clear_entry(table, &table->entries[i]);
    free(table->entries);
    intern_free(table->names);
    free(table->forgotten);
    free(table);
}

static size_t number_of(const struct usage_table *table, const struct rule *rule)
{
    return (size_t)(rule - table->policy->rules);
}

/* ---- forgetting ---- */

static int compare_number(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* The median of each rule's largest; NULL without memory. */
static int64_t *find_medians(const struct usage_table *table)
{
    const size_t rules = table->policy->rule_count;
    int64_t *medians = calloc(rules + 1, sizeof *medians);
    int64_t *values = malloc((table->count + 1) * sizeof *values);
    for (size_t rule = 0; rule < rules && medians != NULL && values != NULL; rule++) {
        size_t count = 0;
        for (size_t i = 0; i < table->count; i++) {
            if (number_of(table, table->entries[i].rule) == rule)
                values[count++] = table->entries[i].usage.largest;
        }
        if (count == 0)
            continue;
        qsort(values, count, sizeof *values, compare_number);
        medians[rule] = values[count / 2];
    }
    if (values == NULL) {
        free(medians);
        medians = NULL;
    }
    free(values);
    return medians;
}

static bool is_kept(const struct usage_table *table, const struct entry *entry,
                    const int64_t *medians, int64_t now_ms)
{
    return entry->usage.largest > medians[number_of(table, entry->rule)] ||
           !usage_is_idle(&entry->usage, entry->rule, now_ms);
}

/* The names of those that stay; NULL without memory. */
static struct intern *copy_names(const struct usage_table *table, const int64_t *medians,
                                 int64_t now_ms)
{
    struct intern *names = intern_new();
    enum status status = names == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < table->count && status == STATUS_OK; i++) {
        const char *name = intern_string(table->names, (uint32_t)i);
        uint32_t id;
        if (is_kept(table, &table->entries[i], medians, now_ms))
            status = intern_add(names, name, strlen(name), &id);
    }
    if (status == STATUS_OK)
        return names;
    intern_free(names);
    return NULL;
}

static enum status forget_some(struct usage_table *table, int64_t now_ms)
{
    int64_t *medians = find_medians(table);
    struct intern *names = medians == NULL ? NULL : copy_names(table, medians, now_ms);
    size_t kept = 0;
    for (size_t i = 0; i < table->count && names != NULL; i++) {
        struct entry *entry = &table->entries[i];
        if (is_kept(table, entry, medians, now_ms)) {
            table->entries[kept++] = *entry;
        } else {
            table->forgotten[number_of(table, entry->rule)]++;
            clear_entry(table, entry);
        }
    }
    free(medians);
    if (names == NULL)
        return STATUS_NOMEM;
    intern_free(table->names);
    table->names = names;
    table->count = kept;
    table->full = kept > table->max / 4 * 3;
    return STATUS_OK;
}

/* ---- clients ---- */

static enum status resize(struct usage_table *table, struct usage_clients *clients,
                          size_t room)
{
    void *entries = realloc(clients->set.entries, room * sizeof *clients->set.entries);
    if (entries == NULL)
        return STATUS_NOMEM;
    table->client_room = table->client_room - clients->room + room;
    clients->set.entries = entries;
    clients->room = room;
    return STATUS_OK;
}

/* Leaves no more room than those take that still count. */
static enum status forget_clients(struct usage_table *table, int64_t now_ms)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < table->count && status == STATUS_OK; i++) {
        const struct rule *rule = table->entries[i].rule;
        struct usage_clients *clients = &table->entries[i].usage.clients;
        if (!counts_clients(rule) || clients->room == 0)
            continue;
        client_set_roll(&clients->set, rule->limit.period_ms, now_ms);
        status = resize(table, clients, clients->set.count > 0 ? clients->set.count : 1);
    }
    table->clients_full = table->client_room > table->max * USAGE_TABLE_CLIENTS / 4 * 3;
    return status;
}

/* NOT_FOUND when there is no room for another client. */
static enum status make_room(struct usage_table *table, struct usage_clients *clients,
                             const struct rule *rule, int64_t client, int64_t at_ms)
{
    const size_t most = table->max * USAGE_TABLE_CLIENTS;
    const struct rate room = {.period_ms = rule->limit.period_ms,
                              .burst = (int64_t)clients->room};
    size_t larger = clients->room > 0 ? 2 * clients->room : 1;
    enum status status = STATUS_OK;
    if (clients->room == USAGE_CLIENTS_MAX ||
        client_set_left(&clients->set, &room, client, at_ms) > 0)
        return STATUS_OK;
    if (larger > USAGE_CLIENTS_MAX)
        larger = USAGE_CLIENTS_MAX;
    if (table->client_room - clients->room + larger > most && !table->clients_full)
        status = forget_clients(table, at_ms);
    if (status == STATUS_OK && table->client_room - clients->room + larger > most)
        return STATUS_NOT_FOUND;
    return status == STATUS_OK ? resize(table, clients, larger) : status;
}

static enum status add_client(struct usage_table *table, struct entry *entry,
                              const char *client, int64_t at_ms)
{
    uint8_t hash[DIGEST_BYTES];
    uint64_t number;
    digest_quick(&table->hash, client, strlen(client), hash);
    memcpy(&number, hash, sizeof number);
    const int64_t id = (int64_t)(number % CLIENT_NUMBER_MAX) + 1;
    enum status status = make_room(table, &entry->usage.clients, entry->rule, id, at_ms);
    if (status == STATUS_OK)
        usage_add_client(&entry->usage, entry->rule, id, at_ms);
    return status;
}

/* ---- counting ---- */

static enum status add_entry(struct usage_table *table, const struct rule *rule)
{
    struct entry entry = {.rule = rule};
    if (!array_reserve(&table->entries, table->count, sizeof *table->entries))
        return STATUS_NOMEM;
    if (rule->has_surge) {
        entry.usage.window = calloc(1, sizeof *entry.usage.window);
        if (entry.usage.window == NULL)
            return STATUS_NOMEM;
    }
    table->entries[table->count++] = entry;
    return STATUS_OK;
}

/* The number of rule and key; NOT_FOUND when there is no room for a new one. */
static enum status find(struct usage_table *table, const struct rule *rule,
                        const struct text *name, int64_t at_ms, uint32_t *out_id)
{
    enum status status = STATUS_OK;
    if (intern_find(table->names, name->data, name->length, out_id))
        return STATUS_OK;
    if (table->count >= table->max && !table->full)
        status = forget_some(table, at_ms);
    if (status == STATUS_OK && table->count >= table->max)
        return STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = add_entry(table, rule);
    if (status != STATUS_OK)
        return status;
    status = intern_add(table->names, name->data, name->length, out_id);
    if (status != STATUS_OK)
        clear_entry(table, &table->entries[--table->count]);
    return status == STATUS_OK ? STATUS_OK : STATUS_NOMEM;
}

enum status usage_table_add(struct usage_table *table, const struct rule *rule,
                            const struct charge *charge, int64_t at_ms)
{
    char buffer[SUBJECT_SIZE + 32];
    struct text name = text_on(buffer, sizeof buffer);
    uint32_t id = 0;
    text_add_number(&name, (int64_t)number_of(table, rule));
    text_add_byte(&name, ' ');
    text_add_string(&name, charge->subject);
    enum status status =
        name.failed ? STATUS_NOMEM : find(table, rule, &name, at_ms, &id);
    text_clear(&name);
    if (status == STATUS_OK && charge->clients)
        status = add_client(table, &table->entries[id], charge->client, at_ms);
    else if (status == STATUS_OK)
        usage_add(&table->entries[id].usage, rule, charge->cost, at_ms);
    if (status != STATUS_NOT_FOUND)
        return status;
    table->missed++;
    return STATUS_OK;
}

int64_t usage_table_missed(const struct usage_table *table)
{
    return table->missed;
}

/* ---- results ---- */

static int compare_key(const void *left, const void *right)
{
    const struct usage_key *a = left;
    const struct usage_key *b = right;
    if (a->largest != b->largest)
        return a->largest > b->largest ? -1 : 1;
    return strcmp(a->key, b->key);
}

enum status usage_table_keys(const struct usage_table *table, const struct rule *rule,
                             struct usage_key **out, size_t *out_count,
                             size_t *out_forgotten)
{
    struct usage_key *keys = malloc((table->count + 1) * sizeof *keys);
    size_t count = 0;
    if (keys == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < table->count; i++) {
        const struct entry *entry = &table->entries[i];
        const char *name = intern_string(table->names, (uint32_t)i);
        if (entry->rule == rule)
            keys[count++] = (struct usage_key){strchr(name, ' ') + 1, &entry->usage,
                                               entry->usage.largest, entry->usage.at_ms};
    }
    qsort(keys, count, sizeof *keys, compare_key);
    *out = keys;
    *out_count = count;
    *out_forgotten = table->forgotten[number_of(table, rule)];
    return STATUS_OK;
}
