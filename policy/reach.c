/* A person in a list is a bit; any other is known by address. Lists and single persons
 * are kept apart until they are counted, so that adding one person to a big list doesn't
 * copy it. */
#include "policy/reach.h"

#include <stdlib.h>
#include <string.h>

#include "policy/directory_parts.h"

struct reach {
    const struct directory *directory;
    uint32_t list;           /* the first one, DIRECTORY_NONE before */
    roaring_bitmap_t *lists; /* from the second list on: their union */

    bool has_only; /* only one person was added so far: this one */
    uint32_t only; /* the number, DIRECTORY_NONE if it has none */
    char *name;    /* owned, while there was no other */
    bool name_is_external;
    roaring_bitmap_t *persons;
    struct intern *strangers; /* persons that the directory has no number for */
    uint64_t strangers_external;
};

struct reach *reach_new(const struct directory *directory)
{
    struct reach *reach = malloc(sizeof *reach);
    if (reach != NULL)
        *reach = (struct reach){.directory = directory, .list = DIRECTORY_NONE};
    return reach;
}

void reach_free(struct reach *reach)
{
    if (reach == NULL)
        return;
    if (reach->lists != NULL)
        roaring_bitmap_free(reach->lists);
    if (reach->persons != NULL)
        roaring_bitmap_free(reach->persons);
    intern_free(reach->strangers);
    free(reach->name);
    free(reach);
}

static enum status add_list(struct reach *reach, uint32_t list)
{
    const roaring_bitmap_t *persons = directory_persons(reach->directory, list);
    if (reach->list == DIRECTORY_NONE) {
        reach->list = list;
        return STATUS_OK;
    }
    if (reach->lists != NULL) {
        roaring_bitmap_or_inplace(reach->lists, persons);
        return STATUS_OK;
    }
    const roaring_bitmap_t *first = directory_persons(reach->directory, reach->list);
    if (first == persons)
        return STATUS_OK;
    reach->lists = roaring_bitmap_or(first, persons);
    return reach->lists != NULL ? STATUS_OK : STATUS_NOMEM;
}

static enum status add_person(struct reach *reach, uint32_t person, const char *name,
                              bool is_external)
{
    if (person != DIRECTORY_NONE) {
        if (reach->persons == NULL)
            reach->persons = roaring_bitmap_create();
        if (reach->persons == NULL)
            return STATUS_NOMEM;
        roaring_bitmap_add(reach->persons, person);
        return STATUS_OK;
    }
    if (reach->strangers == NULL)
        reach->strangers = intern_new();
    if (reach->strangers == NULL)
        return STATUS_NOMEM;
    uint32_t before = intern_count(reach->strangers);
    uint32_t number;
    enum status status = intern_add(reach->strangers, name, strlen(name), &number);
    if (status == STATUS_OK && number == before && is_external)
        reach->strangers_external++;
    return status;
}

enum status reach_add(struct reach *reach, const struct target *target)
{
    if (target->list != DIRECTORY_NONE)
        return add_list(reach, target->list);
    bool is_external = directory_is_external(reach->directory, &target->address);
    if (!reach->has_only && reach->persons == NULL && reach->strangers == NULL) {
        reach->name = strdup(target->address.text);
        if (reach->name == NULL)
            return STATUS_NOMEM;
        reach->has_only = true;
        reach->only = target->person;
        reach->name_is_external = is_external;
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    if (reach->has_only)
        status = add_person(reach, reach->only, reach->name, reach->name_is_external);
    if (status != STATUS_OK)
        return status;
    reach->has_only = false;
    return add_person(reach, target->person, target->address.text, is_external);
}

/* The union of all lists, NULL when there are none. */
static const roaring_bitmap_t *lists_of(const struct reach *reach)
{
    if (reach->lists != NULL || reach->list == DIRECTORY_NONE)
        return reach->lists;
    return directory_persons(reach->directory, reach->list);
}

static bool has(const roaring_bitmap_t *persons, uint32_t person)
{
    return persons != NULL && roaring_bitmap_contains(persons, person);
}

uint64_t reach_total(const struct reach *reach)
{
    const roaring_bitmap_t *lists = lists_of(reach);
    uint64_t total = reach->strangers != NULL ? intern_count(reach->strangers) : 0;
    if (reach->has_only && (reach->only == DIRECTORY_NONE || !has(lists, reach->only)))
        total++;
    if (lists != NULL)
        total += roaring_bitmap_get_cardinality(lists);
    if (reach->persons != NULL)
        total += roaring_bitmap_get_cardinality(reach->persons);
    if (lists != NULL && reach->persons != NULL)
        total -= roaring_bitmap_and_cardinality(lists, reach->persons);
    return total;
}

uint64_t reach_external(const struct reach *reach)
{
    const roaring_bitmap_t *lists = lists_of(reach);
    const roaring_bitmap_t *outside = reach->directory->external;
    uint64_t external = reach->strangers_external;
    if (reach->has_only && (reach->only == DIRECTORY_NONE || !has(lists, reach->only)))
        external += reach->name_is_external;
    if (reach->lists != NULL)
        external += roaring_bitmap_and_cardinality(reach->lists, outside);
    else if (lists != NULL)
        external += directory_list(reach->directory, reach->list)->external;
    if (reach->persons == NULL)
        return external;

    roaring_uint32_iterator_t person;
    roaring_init_iterator(reach->persons, &person);
    for (; person.has_value; (void)roaring_advance_uint32_iterator(&person)) {
        if (has(outside, person.current_value) && !has(lists, person.current_value))
            external++;
    }
    return external;
}
