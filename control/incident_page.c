/* The list is read once, and of each incident no more is kept than what sorts it; then
 * the page's own are read by their ids. */
#include "control/incident_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/intern.h"
#include "control/api_view.h"
#include "quarantine/record.h"

enum { WORDS_MAX = 16, STEP_MS = 5000 };

struct words {
    char text[INCIDENT_PAGE_FIND_MAX + 1];
    const char *words[WORDS_MAX];
    size_t count;
};

struct entry {
    char id[DIGEST_ID_SIZE];
    uint32_t group;
    size_t place; /* in the list */
    int64_t reach;
};

struct group {
    int64_t incidents, reach, waiting;
    json_t *rule;
};

struct page {
    struct entry *entries;
    size_t count;
    struct intern *rules; /* numbered as groups are */
    struct group *groups;
    size_t group_count;
};

static enum status read_words(const char *find, struct words *out)
{
    char *rest = NULL;
    *out = (struct words){0};
    if (find == NULL)
        return STATUS_OK;
    if (strlen(find) > INCIDENT_PAGE_FIND_MAX)
        return STATUS_LIMIT;
    (void)snprintf(out->text, sizeof out->text, "%s", find);
    for (char *word = strtok_r(out->text, " \t", &rest);
         word != NULL && out->count < WORDS_MAX; word = strtok_r(NULL, " \t", &rest))
        out->words[out->count++] = word;
    return STATUS_OK;
}

static bool has_word(const json_t *incident, const char *word)
{
    static const char *const texts[] = {"id", "rule", "key", "identity", "sender"};
    static const char *const arrays[] = {"lists", "addressed"};
    size_t at;
    const json_t *item;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcasestr(record_text(incident, texts[i]), word) != NULL)
            return true;
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        json_array_foreach(json_object_get(incident, arrays[i]), at, item)
        {
            const char *text = json_string_value(item);
            if (text != NULL && strcasestr(text, word) != NULL)
                return true;
        }
    }
    return false;
}

static bool has_words(const json_t *incident, const struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (!has_word(incident, words->words[i]))
            return false;
    return true;
}

/* The number of its rule's group, which is new at the first one. NOMEM. */
static enum status find_group(struct page *page, const json_t *incident, uint32_t *out)
{
    const char *rule = record_text(incident, "rule");
    enum status status = intern_add(page->rules, rule, strlen(rule), out);
    if (status != STATUS_OK || *out < page->group_count)
        return status;
    if (!array_reserve(&page->groups, page->group_count, sizeof *page->groups))
        return STATUS_NOMEM;
    page->groups[page->group_count++] =
        (struct group){.rule = json_incref(json_object_get(incident, "rule"))};
    return STATUS_OK;
}

static enum status add(struct page *page, const json_t *incident)
{
    uint32_t number = 0;
    enum status status = find_group(page, incident, &number);
    if (status != STATUS_OK)
        return status;
    if (!array_reserve(&page->entries, page->count, sizeof *page->entries))
        return STATUS_NOMEM;
    struct entry *entry = &page->entries[page->count];
    struct group *group = &page->groups[number];
    *entry = (struct entry){.group = number,
                            .place = page->count++,
                            .reach = record_number(incident, "reach")};
    (void)snprintf(entry->id, sizeof entry->id, "%s", record_text(incident, "id"));
    group->incidents++;
    group->waiting += record_waiting(incident);
    if (entry->reach > group->reach)
        group->reach = entry->reach;
    return STATUS_OK;
}

/* Below 0 when the first one comes first: the larger, and of two as large the later. */
static int compare_numbers(int64_t first, int64_t second)
{
    return (first < second) - (first > second);
}

static int compare(const void *first, const void *second, void *context)
{
    const struct entry *a = first, *b = second;
    const struct page *page = context;
    int order =
        compare_numbers(page->groups[a->group].reach, page->groups[b->group].reach);
    if (order == 0)
        order = compare_numbers(b->group, a->group);
    if (order == 0)
        order = compare_numbers(a->reach, b->reach);
    return order != 0 ? order : compare_numbers((int64_t)a->place, (int64_t)b->place);
}

static enum status read_all(struct page *page, struct ledger_list *list,
                            const struct words *words)
{
    enum status status = STATUS_OK;
    int64_t deadline_us = clock_deadline_us(INCIDENT_PAGE_READ_MS);
    while (status == STATUS_OK) {
        json_t *incident = NULL;
        status = clock_left_ms(deadline_us) == 0
                     ? STATUS_UNAVAILABLE
                     : ledger_list_next(list, clock_deadline_us(STEP_MS), &incident);
        if (status == STATUS_OK && has_words(incident, words))
            status = add(page, incident);
        json_decref(incident);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Those of the page; one that has gone meanwhile is left out. */
static enum status show_incidents(const struct page *page,
                                  const struct incident_page_query *query, json_t *array)
{
    enum status status = STATUS_OK;
    for (size_t i = query->offset;
         status == STATUS_OK && i < page->count && i - query->offset < query->limit;
         i++) {
        json_t *incident = NULL;
        status = ledger_find_incident(query->ledger, page->entries[i].id,
                                      clock_deadline_us(STEP_MS), &incident);
        if (status == STATUS_OK)
            (void)json_array_append_new(array, api_view_incident(incident));
        else if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
        json_decref(incident);
    }
    return status;
}

static json_t *show_groups(const struct page *page)
{
    json_t *array = json_array();
    for (size_t i = 0; i < page->group_count; i++) {
        const struct group *group = &page->groups[i];
        (void)json_array_append_new(array,
                                    json_pack("{s:O, s:I, s:I, s:I}", "rule", group->rule,
                                              "incidents", (json_int_t)group->incidents,
                                              "reach", (json_int_t)group->reach,
                                              "waiting", (json_int_t)group->waiting));
    }
    return array;
}

static void clear(struct page *page)
{
    for (size_t i = 0; i < page->group_count; i++)
        json_decref(page->groups[i].rule);
    free(page->groups);
    free(page->entries);
    intern_free(page->rules);
}

enum status incident_page_read(const struct incident_page_query *query,
                               struct ledger_list *list, json_t **out)
{
    struct words words;
    struct page page = {.rules = intern_new()};
    json_t *shown = json_array();
    enum status status = read_words(query->find, &words);
    if (status == STATUS_OK)
        status = page.rules == NULL || shown == NULL ? STATUS_NOMEM
                                                     : read_all(&page, list, &words);
    if (status == STATUS_OK && page.count > 0)
        qsort_r(page.entries, page.count, sizeof *page.entries, compare, &page);
    if (status == STATUS_OK)
        status = show_incidents(&page, query, shown);
    if (status == STATUS_OK) {
        *out = json_pack("{s:O, s:I, s:o}", "incidents", shown, "count",
                         (json_int_t)page.count, "groups", show_groups(&page));
        status = *out == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    json_decref(shown);
    clear(&page);
    return status;
}
