/* DNs are compared as text, after libldap has brought them into one form and in lower
 * case. Active Directory gives a large group's members in ranges ("member;range=0-1499"),
 * beside a plain "member" that is empty. */
#include "lists/ldap_groups.h"

#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

enum { ID_MAX = (1 << 30) - 1, SID_MIN = 12, SID_MAX = 68, RID_SIZE = 4, UID_SIZE = 256 };

enum meaning {
    MEANS_NOTHING,
    MEANS_ADDRESS, /* of a list, or of a person */
    MEANS_MEMBER,
    MEANS_MEMBER_UID,
    MEANS_CLASS,
    MEANS_UID,
    MEANS_SID,
    MEANS_PRIMARY,
};

struct ldap_reading {
    enum ldap_role role;
    uint32_t number; /* see ldap_groups_expect */
    bool open;
    uint32_t object;
    enum meaning meaning;     /* of the values that follow */
    size_t address_rank;      /* of their attribute among those of addresses */
    size_t best_rank;         /* of the address that counts, see take_address */
    struct strings addresses; /* of a list, the one that counts first */
    bool person, group;       /* its classes say so */
    bool has_members;
    unsigned char sid[SID_MAX];
    size_t sid_length;
    int64_t primary; /* -1: none */
};

enum status ldap_groups_init(struct ldap_groups *groups,
                             const struct ldap_settings *settings)
{
    *groups = (struct ldap_groups){.settings = settings,
                                   .dns = intern_new(),
                                   .addresses = intern_new(),
                                   .uids = intern_new(),
                                   .sids = intern_new(),
                                   .reading = calloc(1, sizeof *groups->reading)};
    return groups->dns != NULL && groups->addresses != NULL && groups->uids != NULL &&
                   groups->sids != NULL && groups->reading != NULL
               ? STATUS_OK
               : STATUS_NOMEM;
}

void ldap_groups_clear(struct ldap_groups *groups)
{
    for (size_t i = 0; i < groups->group_count; i++) {
        strings_clear(&groups->groups[i].addresses);
        strings_clear(&groups->groups[i].urls);
        free(groups->groups[i].members);
        free(groups->groups[i].ranges);
        free(groups->groups[i].fault);
    }
    if (groups->reading != NULL)
        strings_clear(&groups->reading->addresses);
    intern_free(groups->dns);
    intern_free(groups->addresses);
    intern_free(groups->uids);
    intern_free(groups->sids);
    free(groups->objects);
    free(groups->uid_objects);
    free(groups->groups);
    free(groups->primaries);
    free(groups->reading);
    *groups = (struct ldap_groups){0};
}

void ldap_groups_expect(struct ldap_groups *groups, enum ldap_role role, uint32_t number)
{
    groups->reading->role = role;
    groups->reading->number = number;
}

/* ---- objects ---- */

static enum status add_text(struct intern *intern, const char *data, size_t length,
                            uint32_t *out)
{
    enum status status = intern_add(intern, data, length, out);
    return status == STATUS_OK && *out > ID_MAX ? STATUS_LIMIT : status;
}

static enum status object_of(struct ldap_groups *groups, const char *dn, size_t length,
                             uint32_t *out)
{
    enum status status = add_text(groups->dns, dn, length, out);
    if (status != STATUS_OK || *out < groups->object_count)
        return status;
    if (!array_reserve(&groups->objects, groups->object_count, sizeof *groups->objects))
        return STATUS_NOMEM;
    groups->objects[groups->object_count++] =
        (struct ldap_object){.group = LDAP_GROUPS_NONE, .address = LDAP_GROUPS_NONE};
    return STATUS_OK;
}

/* The object of a DN as written. INVALID when it is no DN. */
static enum status find_object(struct ldap_groups *groups, const char *data,
                               size_t length, uint32_t *out)
{
    LDAPDN dn = NULL;
    struct berval text = {0};
    char *copy = strndup(data, length);
    if (copy == NULL)
        return STATUS_NOMEM;
    int code = ldap_str2dn(copy, &dn, LDAP_DN_FORMAT_LDAPV3);
    free(copy);
    if (code == LDAP_SUCCESS && dn != NULL)
        code = ldap_dn2bv(dn, &text, LDAP_DN_FORMAT_LDAPV3);
    ldap_dnfree(dn);
    if (code != LDAP_SUCCESS || text.bv_val == NULL || text.bv_len == 0) {
        ldap_memfree(text.bv_val);
        return code == LDAP_NO_MEMORY ? STATUS_NOMEM : STATUS_INVALID;
    }
    text_lower_all(text.bv_val, text.bv_len);
    enum status status = object_of(groups, text.bv_val, text.bv_len, out);
    ldap_memfree(text.bv_val);
    return status;
}

static enum status group_of(struct ldap_groups *groups, uint32_t object,
                            struct ldap_group **out)
{
    uint32_t number = groups->objects[object].group;
    if (number == LDAP_GROUPS_NONE) {
        if (!array_reserve(&groups->groups, groups->group_count, sizeof *groups->groups))
            return STATUS_NOMEM;
        number = (uint32_t)groups->group_count++;
        groups->groups[number] =
            (struct ldap_group){.object = object, .sid = LDAP_GROUPS_NONE};
        groups->objects[object].group = number;
    }
    *out = &groups->groups[number];
    return STATUS_OK;
}

static enum status add_member(struct ldap_groups *groups, struct ldap_group *group,
                              enum ldap_member_kind kind, uint32_t id)
{
    if (!array_reserve(&group->members, group->member_count, sizeof *group->members))
        return STATUS_NOMEM;
    group->members[group->member_count++] =
        (struct ldap_member){.kind = (unsigned)kind & 3U, .id = id & ID_MAX};
    if (kind == LDAP_MEMBER_OBJECT)
        groups->objects[id].member = true;
    return STATUS_OK;
}

enum status ldap_groups_add(struct ldap_groups *groups, uint32_t group, uint32_t object)
{
    return add_member(groups, &groups->groups[group], LDAP_MEMBER_OBJECT, object);
}

enum status ldap_groups_fail(struct ldap_groups *groups, uint32_t group,
                             const char *reason)
{
    struct ldap_group *failed = &groups->groups[group];
    if (failed->fault == NULL)
        failed->fault = strdup(reason);
    return failed->fault == NULL ? STATUS_NOMEM : STATUS_OK;
}

/* ---- an entry begins ---- */

/* Until the range that was asked for comes, more may follow. The server may give another
 * entry than was asked for. */
static void doubt_range(const struct ldap_groups *groups,
                        const struct ldap_object *object)
{
    struct ldap_group *group =
        object->group == LDAP_GROUPS_NONE ? NULL : &groups->groups[object->group];
    if (group != NULL && groups->reading->number < group->range_count)
        group->ranges[groups->reading->number].next = -1;
}

enum status ldap_groups_entry(void *context, const char *dn, size_t length)
{
    struct ldap_groups *groups = context;
    struct ldap_reading *reading = groups->reading;
    enum status status = ldap_groups_end(groups);
    if (status == STATUS_OK)
        status = find_object(groups, dn, length, &reading->object);
    if (status != STATUS_OK)
        return status;
    reading->open = true;
    reading->meaning = MEANS_NOTHING;
    reading->best_rank = SIZE_MAX;
    reading->person = reading->group = reading->has_members = false;
    reading->sid_length = 0;
    reading->primary = -1;
    struct ldap_object *object = &groups->objects[reading->object];
    if (reading->role == LDAP_ROLE_EXCLUDED)
        object->excluded = true;
    if (reading->role == LDAP_ROLE_NESTS)
        object->nests = true;
    if (reading->role == LDAP_ROLE_RANGE)
        doubt_range(groups, object);
    if (reading->role == LDAP_ROLE_FOUND)
        status = add_member(groups, &groups->groups[reading->number], LDAP_MEMBER_OBJECT,
                            reading->object);
    return status;
}

/* ---- attributes ---- */

/* The number of an attribute among names, without its options; SIZE_MAX: it is none. */
static size_t rank_of(const struct strings *names, const char *attribute)
{
    size_t length = strcspn(attribute, ";");
    for (size_t i = 0; i < names->count; i++) {
        if (strncasecmp(names->items[i], attribute, length) == 0 &&
            names->items[i][length] == '\0')
            return i;
    }
    return SIZE_MAX;
}

static bool is_named(const char *attribute, const char *name)
{
    size_t length = strcspn(attribute, ";");
    return strlen(name) == length && strncasecmp(attribute, name, length) == 0;
}

static enum status range_of(struct ldap_group *group, size_t attribute,
                            struct ldap_range **out)
{
    for (size_t i = 0; i < group->range_count; i++) {
        if (group->ranges[i].attribute == attribute) {
            *out = &group->ranges[i];
            return STATUS_OK;
        }
    }
    if (!array_reserve(&group->ranges, group->range_count, sizeof *group->ranges))
        return STATUS_NOMEM;
    *out = &group->ranges[group->range_count++];
    **out = (struct ldap_range){.attribute = attribute};
    return STATUS_OK;
}

/* "member;range=0-1499": asked for from 1500 on; "-*": that was all. What says neither is
 * no end. */
static enum status take_range(struct ldap_groups *groups, const char *name, size_t rank)
{
    struct ldap_group *group;
    struct ldap_range *found;
    const char *range = strcasestr(name, ";range=");
    int64_t number;
    enum status status = group_of(groups, groups->reading->object, &group);
    if (status != STATUS_OK || range == NULL)
        return status;
    const char *at = range + strlen(";range=");
    bool is_range = text_take_number(&at, &number) && *at++ == '-';
    status = range_of(group, rank, &found);
    if (status == STATUS_OK)
        found->next = is_range && *at == '*' ? 0
                      : is_range && text_take_number(&at, &number) && number < INT64_MAX
                          ? number + 1
                          : -1;
    return status;
}

static enum meaning member_meaning(const char *name)
{
    return is_named(name, "memberUid") ? MEANS_MEMBER_UID : MEANS_MEMBER;
}

/* memberUid names people: a group's own uid is none of theirs. */
static enum meaning other_meaning(enum ldap_role role, const char *name)
{
    bool list = role == LDAP_ROLE_LIST;
    return is_named(name, "objectClass")               ? MEANS_CLASS
           : is_named(name, "objectSid")               ? MEANS_SID
           : !list && is_named(name, "uid")            ? MEANS_UID
           : !list && is_named(name, "primaryGroupID") ? MEANS_PRIMARY
                                                       : MEANS_NOTHING;
}

enum status ldap_groups_attribute(void *context, const char *name)
{
    struct ldap_groups *groups = context;
    const struct ldap_settings *settings = groups->settings;
    struct ldap_reading *reading = groups->reading;
    enum ldap_role role = reading->role;
    bool list = role == LDAP_ROLE_LIST;
    reading->meaning = MEANS_NOTHING;
    if (role == LDAP_ROLE_EXCLUDED || role == LDAP_ROLE_NESTS)
        return STATUS_OK;
    bool members = list || role == LDAP_ROLE_RANGE || role == LDAP_ROLE_UNKNOWN;
    size_t rank = members ? rank_of(&settings->member_attributes, name) : SIZE_MAX;
    size_t address_rank = list ? rank_of(&settings->address_attributes, name) : SIZE_MAX;
    if (rank != SIZE_MAX && address_rank == SIZE_MAX) {
        reading->meaning = member_meaning(name);
        reading->has_members = true;
        return take_range(groups, name, rank);
    }
    if (!list)
        address_rank = rank_of(&settings->member_address_attributes, name);
    reading->meaning =
        address_rank != SIZE_MAX ? MEANS_ADDRESS : other_meaning(role, name);
    reading->address_rank = address_rank;
    return STATUS_OK;
}

/* ---- values ---- */

/* An address as Active Directory writes it: "SMTP:a@b", or "smtp:b@b" for one that is
 * second to it; false for another kind, as "X500:/o=…". */
static bool strip_kind(const char **data, size_t *length, bool *out_second)
{
    const char *colon = memchr(*data, ':', *length);
    const char *at = memchr(*data, '@', *length);
    *out_second = false;
    if (colon == NULL || (at != NULL && at < colon))
        return true;
    if (colon - *data != 4 || strncasecmp(*data, "smtp", 4) != 0)
        return false;
    *out_second = **data == 's';
    *length -= (size_t)(colon + 1 - *data);
    *data = colon + 1;
    return *length > 0;
}

static enum status take_address(struct ldap_groups *groups, const char *data,
                                size_t length)
{
    struct ldap_reading *reading = groups->reading;
    enum status status;
    uint32_t id;
    bool second;
    if (length == 0 || memchr(data, '\0', length) != NULL ||
        !strip_kind(&data, &length, &second))
        return STATUS_OK;
    size_t rank = 2 * reading->address_rank + second;
    bool better = rank < reading->best_rank;
    if (reading->role == LDAP_ROLE_LIST) {
        char *copy = strndup(data, length);
        status = copy == NULL ? STATUS_NOMEM : strings_add(&reading->addresses, copy);
        free(copy);
        if (status == STATUS_OK && better) {
            reading->best_rank = rank;
            strings_first(&reading->addresses);
        }
        return status;
    }
    if (!better)
        return STATUS_OK;
    status = add_text(groups->addresses, data, length, &id);
    if (status == STATUS_OK) {
        reading->best_rank = rank;
        groups->objects[reading->object].address = id;
    }
    return status;
}

static enum status uid_of(struct ldap_groups *groups, const char *data, size_t length,
                          uint32_t *out)
{
    char lower[UID_SIZE]; /* posixAccount's uid knows no case */
    if (length <= sizeof lower) {
        memcpy(lower, data, length);
        text_lower_all(lower, length);
        data = lower;
    }
    enum status status = add_text(groups->uids, data, length, out);
    if (status != STATUS_OK || *out < groups->uid_count)
        return status;
    if (!array_reserve(&groups->uid_objects, groups->uid_count,
                       sizeof *groups->uid_objects))
        return STATUS_NOMEM;
    groups->uid_objects[groups->uid_count++] = LDAP_GROUPS_NONE;
    return STATUS_OK;
}

/* "SRS0=ab=cd=x=a@y" is an address, though libldap takes it for a DN. */
static bool is_like_address(const char *data, size_t length)
{
    return memchr(data, '@', length) != NULL && memchr(data, ',', length) == NULL;
}

/* Without the bits that may make a uniqueMember unique: "cn=a,dc=b#'0101'B" (RFC 4517,
 * 3.3.21). */
static size_t length_of_name(const char *data, size_t length)
{
    size_t end = length;
    if (length < 4 || memcmp(data + length - 2, "'B", 2) != 0)
        return length;
    for (end -= 2; end > 0 && (data[end - 1] == '0' || data[end - 1] == '1'); end--)
        ;
    return end > 2 && memcmp(data + end - 2, "#'", 2) == 0 ? end - 2 : length;
}

/* A member is a uid, a search, a DN or an address: the value itself says which. */
static enum status take_member(struct ldap_groups *groups, const char *data,
                               size_t length)
{
    struct ldap_group *group;
    uint32_t id = 0;
    enum ldap_member_kind kind = LDAP_MEMBER_OBJECT;
    enum status status = STATUS_INVALID;
    if (length == 0 || memchr(data, '\0', length) != NULL)
        return STATUS_OK;
    length = length_of_name(data, length);
    bool search = length > 5 && strncasecmp(data, "ldap", 4) == 0 &&
                  memmem(data, length, "://", 3) != NULL;
    bool uid = groups->reading->meaning == MEANS_MEMBER_UID;
    if (!uid && !search && !is_like_address(data, length))
        status = find_object(groups, data, length, &id);
    if (status == STATUS_INVALID && !search) {
        bool address = !uid && memchr(data, '@', length) != NULL;
        kind = address ? LDAP_MEMBER_ADDRESS : LDAP_MEMBER_UID;
        status = address ? add_text(groups->addresses, data, length, &id)
                         : uid_of(groups, data, length, &id);
    }
    if (status != STATUS_OK && !search)
        return status;
    status = group_of(groups, groups->reading->object, &group);
    if (status == STATUS_OK && search) {
        char *copy = strndup(data, length);
        status = copy == NULL ? STATUS_NOMEM : strings_add(&group->urls, copy);
        free(copy);
    } else if (status == STATUS_OK) {
        status = add_member(groups, group, kind, id);
    }
    return status;
}

static bool is_word(const char *data, size_t length, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strlen(*words) == length && strncasecmp(data, *words, length) == 0)
            return true;
    }
    return false;
}

static enum status take_uid(struct ldap_groups *groups, const char *data, size_t length)
{
    uint32_t id;
    if (length == 0 || memchr(data, '\0', length) != NULL)
        return STATUS_OK;
    enum status status = uid_of(groups, data, length, &id);
    if (status == STATUS_OK && groups->uid_objects[id] == LDAP_GROUPS_NONE)
        groups->uid_objects[id] = groups->reading->object;
    return status;
}

enum status ldap_groups_value(void *context, const char *data, size_t length)
{
    static const char *const people[] = {
        "person",       "inetOrgPerson",        "user", "contact", "account",
        "posixAccount", "organizationalPerson", NULL};
    static const char *const groups_by_class[] = {"group",
                                                  "groupOfNames",
                                                  "groupOfUniqueNames",
                                                  "groupOfMembers",
                                                  "groupOfURLs",
                                                  "groupOfEntries",
                                                  "posixGroup",
                                                  "mailGroup",
                                                  "nisMailAlias",
                                                  NULL};
    struct ldap_groups *groups = context;
    struct ldap_reading *reading = groups->reading;
    switch (reading->meaning) {
    case MEANS_ADDRESS:
        return take_address(groups, data, length);
    case MEANS_MEMBER:
    case MEANS_MEMBER_UID:
        return take_member(groups, data, length);
    case MEANS_UID:
        return take_uid(groups, data, length);
    case MEANS_CLASS:
        reading->person |= is_word(data, length, people);
        reading->group |= is_word(data, length, groups_by_class);
        return STATUS_OK;
    case MEANS_SID:
        reading->sid_length = length >= SID_MIN && length <= SID_MAX ? length : 0;
        memcpy(reading->sid, data, reading->sid_length);
        return STATUS_OK;
    case MEANS_PRIMARY:
        reading->primary = 0;
        for (size_t i = 0; i < length && i < 10 && data[i] >= '0' && data[i] <= '9'; i++)
            reading->primary = reading->primary * 10 + (data[i] - '0');
        return STATUS_OK;
    case MEANS_NOTHING:
    default:
        return STATUS_OK;
    }
}

/* ---- an entry ends ---- */

static enum status sid_of(struct ldap_groups *groups, const unsigned char *sid,
                          size_t length, uint32_t *out)
{
    char hex[2 * SID_MAX + 1];
    for (size_t i = 0; i < length; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", sid[i]);
    return add_text(groups->sids, hex, 2 * length, out);
}

/* A user's primary group has the user's SID with another last part
 * ([MS-ADTS] 3.1.1.4.5.11), and doesn't name the user as a member. */
static enum status end_primary(struct ldap_groups *groups)
{
    struct ldap_reading *reading = groups->reading;
    uint32_t sid;
    for (size_t i = 0; i < RID_SIZE; i++)
        reading->sid[reading->sid_length - RID_SIZE + i] =
            (unsigned char)(reading->primary >> 8 * i & 0xff);
    enum status status = sid_of(groups, reading->sid, reading->sid_length, &sid);
    if (status != STATUS_OK)
        return status;
    if (!array_reserve(&groups->primaries, groups->primary_count,
                       sizeof *groups->primaries))
        return STATUS_NOMEM;
    groups->primaries[groups->primary_count++] =
        (struct ldap_primary){.sid = sid, .object = reading->object};
    return STATUS_OK;
}

/* A person, too, may match the filter of lists: only who has members is a list, or what
 * is a group by its class and may have none. */
static enum status end_list(struct ldap_groups *groups)
{
    struct ldap_reading *reading = groups->reading;
    struct ldap_group *group;
    if (!reading->has_members && (reading->person || !reading->group)) {
        strings_clear(&reading->addresses);
        return STATUS_OK;
    }
    enum status status = group_of(groups, reading->object, &group);
    if (status != STATUS_OK)
        return status;
    group->listed = true;
    group->always_list = reading->group && !reading->person;
    strings_clear(&group->addresses);
    group->addresses = reading->addresses;
    reading->addresses = (struct strings){0};
    return reading->sid_length > 0
               ? sid_of(groups, reading->sid, reading->sid_length, &group->sid)
               : STATUS_OK;
}

/* It was looked up: a group, or one person whatever it is. */
static enum status end_unknown(struct ldap_groups *groups)
{
    struct ldap_reading *reading = groups->reading;
    struct ldap_object *object = &groups->objects[reading->object];
    struct ldap_group *group;
    object->known = true;
    object->nests = false;
    if (!reading->has_members && !reading->group)
        return STATUS_OK;
    enum status status = group_of(groups, reading->object, &group);
    return status == STATUS_OK && reading->sid_length > 0
               ? sid_of(groups, reading->sid, reading->sid_length, &group->sid)
               : status;
}

enum status ldap_groups_end(struct ldap_groups *groups)
{
    struct ldap_reading *reading = groups->reading;
    if (!reading->open)
        return STATUS_OK;
    reading->open = false;
    if (reading->role == LDAP_ROLE_LIST)
        return end_list(groups);
    if (reading->role == LDAP_ROLE_UNKNOWN)
        return end_unknown(groups);
    if (reading->role == LDAP_ROLE_PERSON || reading->role == LDAP_ROLE_FOUND)
        groups->objects[reading->object].known |= !reading->group;
    if (reading->role == LDAP_ROLE_PERSON && reading->sid_length > 0 &&
        reading->primary >= 0)
        return end_primary(groups);
    return STATUS_OK;
}
