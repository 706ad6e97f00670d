/* Groups without an address may contain each other in circles: each is walked once for a
 * list, by a stack of our own. */
#include "lists/ldap_flatten.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

struct flattening {
    struct ldap_groups *groups;
    const char **names; /* of each group: its first valid address; NULL: it is no list */
    uint32_t *stack;
    size_t stack_count;
    uint32_t visit;
};

static bool is_address(const char *text)
{
    struct address ignored;
    return entries_spell(text, strlen(text), &ignored) == STATUS_OK && text[0] != '@';
}

/* The address that names the group; NULL, and reported if it has only others. */
static const char *name_of(const struct ldap_groups *groups,
                           const struct ldap_group *group, const char *place,
                           struct problems *problems)
{
    if (!group->listed)
        return NULL;
    for (size_t i = 0; i < group->addresses.count; i++) {
        if (is_address(group->addresses.items[i]))
            return group->addresses.items[i];
    }
    if (group->addresses.count > 0)
        problems_warning(problems, place, 0, "%.200s: \"%.100s\" is not an address",
                         intern_string(groups->dns, group->object),
                         group->addresses.items[0]);
    return NULL;
}

static enum status push(struct flattening *flattening, uint32_t number)
{
    struct ldap_group *group = &flattening->groups->groups[number];
    if (group->visit == flattening->visit)
        return STATUS_OK;
    group->visit = flattening->visit;
    if (!array_reserve(&flattening->stack, flattening->stack_count,
                       sizeof *flattening->stack))
        return STATUS_NOMEM;
    flattening->stack[flattening->stack_count++] = number;
    return STATUS_OK;
}

static void add(struct member_list *list, enum member_kind kind, const char *text)
{
    member_list_add(list, kind, text, strlen(text), list->line + 1);
}

/* Of an object that some group names: what it stands for in a list. */
static enum status add_object(struct flattening *flattening, uint32_t number,
                              const char *own_name, struct member_list *list)
{
    const struct ldap_groups *groups = flattening->groups;
    const struct ldap_object *object = &groups->objects[number];
    if (object->excluded)
        return STATUS_OK;
    if (object->group != LDAP_GROUPS_NONE) {
        const char *name = flattening->names[object->group];
        if (name == NULL)
            return push(flattening, object->group);
        if (name != own_name)
            add(list, MEMBER_ADDRESS, name);
    } else if (object->address != LDAP_GROUPS_NONE) {
        add(list, MEMBER_ADDRESS, intern_string(groups->addresses, object->address));
    } else {
        add(list, MEMBER_OPAQUE, intern_string(groups->dns, number));
    }
    return STATUS_OK;
}

static enum status add_member(struct flattening *flattening,
                              const struct ldap_member *member, const char *own_name,
                              struct member_list *list)
{
    const struct ldap_groups *groups = flattening->groups;
    if (member->kind == LDAP_MEMBER_ADDRESS) {
        add(list, MEMBER_ADDRESS, intern_string(groups->addresses, member->id));
        return STATUS_OK;
    }
    if (member->kind == LDAP_MEMBER_OBJECT)
        return add_object(flattening, member->id, own_name, list);
    uint32_t object = groups->uid_objects[member->id];
    if (object != LDAP_GROUPS_NONE)
        return add_object(flattening, object, own_name, list);
    add(list, MEMBER_OPAQUE, intern_string(groups->uids, member->id));
    return STATUS_OK;
}

static enum status add_members(struct flattening *flattening, uint32_t number,
                               struct member_list *list)
{
    struct ldap_groups *groups = flattening->groups;
    const char *own_name = flattening->names[number];
    flattening->visit++;
    enum status status = push(flattening, number);
    while (status == STATUS_OK && flattening->stack_count > 0) {
        uint32_t next = flattening->stack[--flattening->stack_count];
        const struct ldap_group *group = &groups->groups[next];
        for (size_t i = 0; i < group->member_count && status == STATUS_OK; i++)
            status = add_member(flattening, &group->members[i], own_name, list);
    }
    return status;
}

/* A further address is a redirection to the first. */
static enum status add_alias(const char *address, const char *name,
                             struct entries *entries)
{
    struct entry *entry;
    enum status status = entries_open(entries, address, strlen(address), &entry);
    if (status != STATUS_OK)
        return status == STATUS_INVALID ? STATUS_OK : status;
    add(&entry->members, MEMBER_ADDRESS, name);
    return entries_settle(entries, entry);
}

static enum status add_list(struct flattening *flattening, uint32_t number,
                            struct entries *entries)
{
    const struct ldap_group *group = &flattening->groups->groups[number];
    const char *name = flattening->names[number];
    struct entry *entry;
    enum status status = entries_open(entries, name, strlen(name), &entry);
    if (status == STATUS_OK)
        status = add_members(flattening, number, &entry->members);
    if (status == STATUS_OK) {
        entry->always_list = true;
        status = entries_settle(entries, entry);
    }
    for (size_t i = 0; i < group->addresses.count && status == STATUS_OK; i++) {
        if (group->addresses.items[i] != name &&
            strcasecmp(group->addresses.items[i], name) != 0)
            status = add_alias(group->addresses.items[i], name, entries);
    }
    return status;
}

/* Whose primary group it is, is a member. */
static enum status add_primaries(struct ldap_groups *groups)
{
    uint32_t *by_sid = malloc((intern_count(groups->sids) + 1) * sizeof *by_sid);
    if (by_sid == NULL)
        return STATUS_NOMEM;
    memset(by_sid, 0xff, (intern_count(groups->sids) + 1) * sizeof *by_sid);
    for (size_t i = 0; i < groups->group_count; i++) {
        if (groups->groups[i].sid != LDAP_GROUPS_NONE)
            by_sid[groups->groups[i].sid] = (uint32_t)i;
    }
    enum status status = STATUS_OK;
    for (size_t i = 0; i < groups->primary_count && status == STATUS_OK; i++) {
        uint32_t number = by_sid[groups->primaries[i].sid];
        if (number != LDAP_GROUPS_NONE)
            status = ldap_groups_add(groups, number, groups->primaries[i].object);
    }
    free(by_sid);
    return status;
}

static void count(const struct ldap_groups *groups, struct ldap_counts *out)
{
    for (size_t i = 0; i < groups->object_count; i++) {
        const struct ldap_object *object = &groups->objects[i];
        bool person =
            object->member && object->group == LDAP_GROUPS_NONE && !object->excluded;
        out->members += person;
        out->nameless += person && object->address == LDAP_GROUPS_NONE;
    }
}

enum status ldap_flatten(struct ldap_groups *groups, const char *place,
                         struct entries *entries, struct problems *problems,
                         struct ldap_counts *out)
{
    struct ldap_counts counts = {0};
    struct flattening flattening = {.groups = groups};
    flattening.names = calloc(groups->group_count + 1, sizeof *flattening.names);
    enum status status = flattening.names == NULL ? STATUS_NOMEM : add_primaries(groups);
    for (size_t i = 0; i < groups->group_count && status == STATUS_OK; i++) {
        flattening.names[i] = name_of(groups, &groups->groups[i], place, problems);
        counts.lists += flattening.names[i] != NULL;
    }
    for (uint32_t i = 0; i < groups->group_count && status == STATUS_OK; i++) {
        if (flattening.names[i] != NULL)
            status = add_list(&flattening, i, entries);
    }
    if (status == STATUS_OK) {
        count(groups, &counts);
        *out = counts;
    }
    free(flattening.names);
    free(flattening.stack);
    return status;
}
