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
    uint32_t found_by;
    bool open;
    uint32_t object;
    enum meaning meaning; /* of the values that follow */
    size_t address_rank;  /* of their attribute among those of addresses */
    size_t best_rank;     /* of the address that counts */
    bool person, nested;  /* its classes say so */
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
    }
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

void ldap_groups_expect(struct ldap_groups *groups, enum ldap_role role,
                        uint32_t found_by)
{
    groups->reading->role = role;
    groups->reading->found_by = found_by;
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

/* ---- an entry begins ---- */

enum status ldap_groups_entry(void *context, const char *dn, size_t length)
{
    struct ldap_groups *groups = context;
    struct ldap_reading *reading = groups->reading;
    struct ldap_group *group;
    enum status status = ldap_groups_end(groups);
    if (status == STATUS_OK)
        status = find_object(groups, dn, length, &reading->object);
    if (status != STATUS_OK)
        return status;
    reading->open = true;
    reading->meaning = MEANS_NOTHING;
    reading->best_rank = SIZE_MAX;
    reading->person = reading->nested = false;
    reading->sid_length = 0;
    reading->primary = -1;
    if (reading->role == LDAP_ROLE_EXCLUDED)
        groups->objects[reading->object].excluded = true;
    if (reading->role == LDAP_ROLE_LIST || reading->role == LDAP_ROLE_RANGE) {
        status = group_of(groups, reading->object, &group);
        if (status == STATUS_OK && reading->role == LDAP_ROLE_LIST)
            group->listed = true;
        else if (status == STATUS_OK)
            group->range_next = -1; /* until the range comes */
    }
    if (status == STATUS_OK && reading->role == LDAP_ROLE_FOUND)
        status = add_member(groups, &groups->groups[reading->found_by],
                            LDAP_MEMBER_OBJECT, reading->object);
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

/* "member;range=0-1499": asked for from 1500 on; "-*": that was all. */
static enum status take_range(struct ldap_groups *groups, const char *name, size_t rank)
{
    struct ldap_group *group;
    const char *range = strcasestr(name, ";range=");
    int64_t number;
    enum status status = group_of(groups, groups->reading->object, &group);
    if (status != STATUS_OK || range == NULL)
        return status;
    const char *at = range + strlen(";range=");
    if (!text_take_number(&at, &number) || *at++ != '-')
        return STATUS_OK;
    group->range_attribute = rank;
    if (*at == '*')
        group->range_next = 0;
    else if (text_take_number(&at, &number))
        group->range_next = number + 1;
    return STATUS_OK;
}

static enum meaning member_meaning(const char *name)
{
    return is_named(name, "memberUid") ? MEANS_MEMBER_UID : MEANS_MEMBER;
}

static enum meaning person_meaning(const char *name)
{
    return is_named(name, "objectClass")      ? MEANS_CLASS
           : is_named(name, "uid")            ? MEANS_UID
           : is_named(name, "objectSid")      ? MEANS_SID
           : is_named(name, "primaryGroupID") ? MEANS_PRIMARY
                                              : MEANS_NOTHING;
}

enum status ldap_groups_attribute(void *context, const char *name)
{
    struct ldap_groups *groups = context;
    const struct ldap_settings *settings = groups->settings;
    struct ldap_reading *reading = groups->reading;
    bool group = reading->role == LDAP_ROLE_LIST || reading->role == LDAP_ROLE_RANGE;
    size_t rank = rank_of(&settings->member_attributes, name);
    reading->meaning = MEANS_NOTHING;
    if (reading->role == LDAP_ROLE_EXCLUDED)
        return STATUS_OK;
    size_t address_rank = group ? rank_of(&settings->address_attributes, name) : SIZE_MAX;
    bool address = address_rank != SIZE_MAX;
    if ((group || reading->role == LDAP_ROLE_UNKNOWN) && rank != SIZE_MAX && !address) {
        reading->meaning = member_meaning(name);
        reading->nested = true;
        return take_range(groups, name, rank);
    }
    if (group) {
        reading->address_rank = address_rank;
        reading->meaning = address                       ? MEANS_ADDRESS
                           : is_named(name, "objectSid") ? MEANS_SID
                                                         : MEANS_NOTHING;
        return STATUS_OK;
    }
    reading->meaning = person_meaning(name);
    rank = rank_of(&settings->member_address_attributes, name);
    if (rank != SIZE_MAX) {
        reading->meaning = MEANS_ADDRESS;
        reading->address_rank = rank;
    }
    return STATUS_OK;
}

/* ---- values ---- */

/* An address as Active Directory writes it: "SMTP:a@b"; false for another kind, as
 * "X500:/o=…". */
static bool strip_kind(const char **data, size_t *length)
{
    const char *colon = memchr(*data, ':', *length);
    const char *at = memchr(*data, '@', *length);
    if (colon == NULL || (at != NULL && at < colon))
        return true;
    if (colon - *data != 4 || strncasecmp(*data, "smtp", 4) != 0)
        return false;
    *length -= (size_t)(colon + 1 - *data);
    *data = colon + 1;
    return *length > 0;
}

static enum status take_address(struct ldap_groups *groups, const char *data,
                                size_t length)
{
    struct ldap_reading *reading = groups->reading;
    struct ldap_group *group;
    uint32_t id;
    if (length == 0 || memchr(data, '\0', length) != NULL || !strip_kind(&data, &length))
        return STATUS_OK;
    if (reading->role == LDAP_ROLE_LIST) {
        char *copy = strndup(data, length);
        enum status status =
            copy == NULL ? STATUS_NOMEM : group_of(groups, reading->object, &group);
        if (status == STATUS_OK)
            status = strings_add(&group->addresses, copy);
        free(copy);
        if (status == STATUS_OK && reading->address_rank < reading->best_rank) {
            reading->best_rank = reading->address_rank;
            strings_first(&group->addresses);
        }
        return status;
    }
    if (reading->address_rank >= reading->best_rank)
        return STATUS_OK;
    enum status status = add_text(groups->addresses, data, length, &id);
    if (status == STATUS_OK) {
        reading->best_rank = reading->address_rank;
        groups->objects[reading->object].address = id;
    }
    return status;
}

static enum status uid_of(struct ldap_groups *groups, const char *data, size_t length,
                          uint32_t *out)
{
    char lower[UID_SIZE]; /* posixAccount's uid knows no case */
    if (length > sizeof lower)
        length = sizeof lower;
    memcpy(lower, data, length);
    text_lower_all(lower, length);
    enum status status = add_text(groups->uids, lower, length, out);
    if (status != STATUS_OK || *out < groups->uid_count)
        return status;
    if (!array_reserve(&groups->uid_objects, groups->uid_count,
                       sizeof *groups->uid_objects))
        return STATUS_NOMEM;
    groups->uid_objects[groups->uid_count++] = LDAP_GROUPS_NONE;
    return STATUS_OK;
}

/* A member is a uid, a search, a DN or an address: the value itself says which. A
 * uniqueMember may end in an id that makes it unique ("#'0101'B"). */
static enum status take_member(struct ldap_groups *groups, const char *data,
                               size_t length)
{
    struct ldap_group *group;
    uint32_t id = 0;
    enum ldap_member_kind kind = LDAP_MEMBER_OBJECT;
    enum status status = STATUS_INVALID;
    if (length == 0 || memchr(data, '\0', length) != NULL)
        return STATUS_OK;
    const char *hash = memchr(data, '#', length);
    if (hash != NULL && hash > data && length - (size_t)(hash - data) > 3 &&
        hash[1] == '\'')
        length = (size_t)(hash - data);
    bool search = length > 5 && strncasecmp(data, "ldap", 4) == 0 &&
                  memmem(data, length, "://", 3) != NULL;
    if (groups->reading->meaning == MEANS_MEMBER && !search)
        status = find_object(groups, data, length, &id);
    if (status == STATUS_INVALID && !search) {
        bool address =
            groups->reading->meaning == MEANS_MEMBER && memchr(data, '@', length) != NULL;
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
    static const char *const nests[] = {
        "group", "groupOfNames", "groupOfUniqueNames", "posixGroup", "groupOfURLs", NULL};
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
        reading->nested |= is_word(data, length, nests);
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

enum status ldap_groups_end(struct ldap_groups *groups)
{
    struct ldap_reading *reading = groups->reading;
    struct ldap_object *object = groups->objects + reading->object;
    if (!reading->open)
        return STATUS_OK;
    reading->open = false;
    if (reading->role == LDAP_ROLE_LIST ||
        (reading->role == LDAP_ROLE_UNKNOWN && reading->nested)) {
        struct ldap_group *group;
        enum status status = group_of(groups, reading->object, &group);
        if (status == STATUS_OK && reading->sid_length > 0)
            status = sid_of(groups, reading->sid, reading->sid_length, &group->sid);
        object->known = true;
        return status;
    }
    if (reading->role == LDAP_ROLE_UNKNOWN || reading->person)
        object->known = true;
    if (reading->role == LDAP_ROLE_PERSON && reading->sid_length > 0 &&
        reading->primary >= 0)
        return end_primary(groups);
    return STATUS_OK;
}
