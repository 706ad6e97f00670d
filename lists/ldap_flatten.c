/* Each group is entered once, however many contain it, so a directory needs no more
 * memory than it has members. A group without an address gets one that nobody can send
 * to. */
#include "lists/ldap_flatten.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/digest.h"

/* Nobody's, by RFC 2606. */
#define MADE_UP_DOMAIN "@group.invalid"

enum { HASH_SHOWN = 12, NAME_SHOWN = 40 };

struct flattening {
    struct ldap_groups *groups;
    struct entries *entries;
    char **names; /* of each group; NULL: no list contains it */
    uint32_t
        *queue; /* groups with an address, then those without one that they contain */
    size_t queued, addressed;
};

static bool is_address(const char *text)
{
    struct address ignored;
    return entries_spell(text, strlen(text), &ignored) == STATUS_OK && text[0] != '@';
}

/* The address that names the group; NULL, and reported if it has only others. */
static const char *address_of(const struct ldap_groups *groups,
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

/* Takes over name. */
static enum status enqueue(struct flattening *flattening, uint32_t number, char *name)
{
    if (name == NULL || !array_reserve(&flattening->queue, flattening->queued,
                                       sizeof *flattening->queue)) {
        free(name);
        return STATUS_NOMEM;
    }
    flattening->names[number] = name;
    flattening->queue[flattening->queued++] = number;
    return STATUS_OK;
}

/* "cn=All Staff,ou=groups,dc=x" becomes "all-staff.0123456789ab@group.invalid": the same
 * as long as the group keeps its DN. */
static char *make_address(const char *dn)
{
    static const struct digest_key no_secret;
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    char hash[DIGEST_HEX_SIZE];
    char shown[NAME_SHOWN + 1];
    char *address = NULL;
    const char *value = strchr(dn, '=');
    size_t length = 0;
    value = value == NULL ? dn : value + 1;
    for (; *value != '\0' && *value != ',' && length < NAME_SHOWN; value++) {
        if (strchr(allowed, *value) != NULL)
            shown[length++] = *value;
        else if (length > 0 && shown[length - 1] != '-')
            shown[length++] = '-';
    }
    shown[length] = '\0';
    digest_hex(&no_secret, dn, strlen(dn), hash);
    return asprintf(&address, "%s%s%.*s" MADE_UP_DOMAIN, shown, length > 0 ? "." : "",
                    HASH_SHOWN, hash) < 0
               ? NULL
               : address;
}

bool ldap_flatten_made_up(const char *address)
{
    const char *domain = strchr(address, '@');
    return domain != NULL && strcmp(domain, MADE_UP_DOMAIN) == 0;
}

/* ---- members ---- */

static void add(struct member_list *list, enum member_kind kind, const char *text)
{
    member_list_add(list, kind, text, strlen(text), list->line + 1);
}

/* Of an object that some group names: what it stands for in a list. */
static enum status add_object(struct flattening *flattening, uint32_t number,
                              uint32_t holder, struct member_list *list)
{
    const struct ldap_groups *groups = flattening->groups;
    const struct ldap_object *object = &groups->objects[number];
    const char *dn = intern_string(groups->dns, number);
    enum status status = STATUS_OK;
    if (object->excluded || object->group == holder)
        return STATUS_OK;
    if (object->group != LDAP_GROUPS_NONE) {
        if (flattening->names[object->group] == NULL)
            status = enqueue(flattening, object->group, make_address(dn));
        if (status == STATUS_OK)
            add(list, MEMBER_ADDRESS, flattening->names[object->group]);
    } else if (object->address != LDAP_GROUPS_NONE) {
        add(list, MEMBER_ADDRESS, intern_string(groups->addresses, object->address));
    } else {
        add(list, MEMBER_OPAQUE, dn);
    }
    return status;
}

static enum status add_member(struct flattening *flattening,
                              const struct ldap_member *member, uint32_t holder,
                              struct member_list *list)
{
    const struct ldap_groups *groups = flattening->groups;
    if (member->kind == LDAP_MEMBER_ADDRESS) {
        add(list, MEMBER_ADDRESS, intern_string(groups->addresses, member->id));
        return STATUS_OK;
    }
    if (member->kind == LDAP_MEMBER_OBJECT)
        return add_object(flattening, member->id, holder, list);
    uint32_t object = groups->uid_objects[member->id];
    if (object != LDAP_GROUPS_NONE)
        return add_object(flattening, object, holder, list);
    add(list, MEMBER_OPAQUE, intern_string(groups->uids, member->id));
    return STATUS_OK;
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

/* ---- lists ---- */

/* A further address is a redirection to the first. */
static enum status add_alias(const char *address, const char *name,
                             struct entries *entries)
{
    struct entry *entry;
    enum status status = entries_open(entries, address, strlen(address), &entry);
    if (status != STATUS_OK)
        return status;
    add(&entry->members, MEMBER_ADDRESS, name);
    return entries_settle(entries, entry);
}

static enum status add_list(struct flattening *flattening, size_t at,
                            struct ldap_counts *counts)
{
    uint32_t number = flattening->queue[at];
    const struct ldap_group *group = &flattening->groups->groups[number];
    const char *name = flattening->names[number];
    struct entry *entry;
    enum status status = entries_open(flattening->entries, name, strlen(name), &entry);
    if (status == STATUS_OK) {
        entry->failed |= group->fault != NULL;
        entry->always_list |=
            group->always_list || entry->failed || at >= flattening->addressed;
    }
    for (size_t i = 0; i < group->member_count && status == STATUS_OK; i++)
        status = add_member(flattening, &group->members[i], number, &entry->members);
    if (status == STATUS_OK)
        status = entries_settle(flattening->entries, entry);
    if (status != STATUS_OK || at >= flattening->addressed)
        return status;
    counts->lists += entry->kind == ENTRY_LIST;
    counts->empty +=
        entry->kind == ENTRY_LIST && entry->members.count == 0 && !entry->failed;
    for (size_t i = 0; i < group->addresses.count && status == STATUS_OK; i++) {
        const char *alias = group->addresses.items[i];
        if (is_address(alias) && strcasecmp(alias, name) != 0)
            status = add_alias(alias, name, flattening->entries);
    }
    return status;
}

static void count(const struct ldap_groups *groups, struct ldap_counts *counts)
{
    for (size_t i = 0; i < groups->object_count; i++) {
        const struct ldap_object *object = &groups->objects[i];
        bool person =
            object->member && object->group == LDAP_GROUPS_NONE && !object->excluded;
        counts->members += person;
        counts->nameless += person && object->address == LDAP_GROUPS_NONE;
    }
}

/* What the administrator should know of the groups. */
static void report(const struct ldap_groups *groups, const struct ldap_counts *counts,
                   const char *place, struct problems *problems)
{
    for (size_t i = 0; i < groups->group_count; i++) {
        const struct ldap_group *group = &groups->groups[i];
        if (group->fault != NULL)
            problems_error(problems, place, 0,
                           "%.200s keeps its last good members: %.300s",
                           intern_string(groups->dns, group->object), group->fault);
    }
    if (counts->empty > counts->lists - counts->empty)
        problems_warning(
            problems, place, 0,
            "no members are found for %zu of %zu lists: may bind_dn read them?",
            counts->empty, counts->lists);
}

enum status ldap_flatten(struct ldap_groups *groups, const char *place,
                         struct entries *entries, struct problems *problems,
                         struct ldap_counts *out)
{
    struct ldap_counts counts = {0};
    struct flattening flattening = {.groups = groups, .entries = entries};
    flattening.names = calloc(groups->group_count + 1, sizeof *flattening.names);
    enum status status = flattening.names == NULL ? STATUS_NOMEM : add_primaries(groups);
    for (uint32_t i = 0; i < groups->group_count && status == STATUS_OK; i++) {
        const char *address = address_of(groups, &groups->groups[i], place, problems);
        if (address != NULL)
            status = enqueue(&flattening, i, strdup(address));
    }
    flattening.addressed = flattening.queued;
    for (size_t i = 0; i < flattening.queued && status == STATUS_OK; i++)
        status = add_list(&flattening, i, &counts);
    if (status == STATUS_OK) {
        count(groups, &counts);
        report(groups, &counts, place, problems);
        *out = counts;
    }
    for (size_t i = 0; flattening.names != NULL && i < groups->group_count; i++)
        free(flattening.names[i]);
    free(flattening.names);
    free(flattening.queue);
    return status;
}
