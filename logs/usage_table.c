/* Rule and key together are one string; its number is its place in the array. To forget
 * some, both are made anew of those that stay. */
#include "logs/usage_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
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
    bool full; /* forgetting did not help */
};

struct usage_table *usage_table_new(const struct policy *policy, size_t max)
{
    struct usage_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->policy = policy;
    table->max = max;
    table->names = intern_new();
    table->forgotten = calloc(policy->rule_count + 1, sizeof *table->forgotten);
    if (table->names == NULL || table->forgotten == NULL) {
        usage_table_free(table);
        return NULL;
    }
    return table;
}

static void free_entries(struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(entries[i].usage.window);
    free(entries);
}

void usage_table_free(struct usage_table *table)
{
    if (table == NULL)
        return;
    free_entries(table->entries, table->count);
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
            free(entry->usage.window);
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
        free(table->entries[--table->count].usage.window);
    return status == STATUS_OK ? STATUS_OK : STATUS_NOMEM;
}

enum status usage_table_add(struct usage_table *table, const struct rule *rule,
                            const char *subject, int64_t cost, int64_t at_ms)
{
    char buffer[SUBJECT_SIZE + 32];
    struct text name = text_on(buffer, sizeof buffer);
    uint32_t id = 0;
    text_add_number(&name, (int64_t)number_of(table, rule));
    text_add_byte(&name, ' ');
    text_add_string(&name, subject);
    enum status status =
        name.failed ? STATUS_NOMEM : find(table, rule, &name, at_ms, &id);
    text_clear(&name);
    if (status == STATUS_NOT_FOUND) {
        table->missed++;
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        usage_add(&table->entries[id].usage, rule, cost, at_ms);
    return status;
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
