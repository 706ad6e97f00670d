/* Groups and people of a directory as they are read, entry by entry, whatever order they
 * come in. Pure: asks no server. */
#ifndef LISTS_LDAP_GROUPS_H
#define LISTS_LDAP_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/intern.h"
#include "base/status.h"
#include "conf/ldap_settings.h"

#define LDAP_GROUPS_NONE UINT32_MAX

/* What an entry is read as. */
enum ldap_role {
    LDAP_ROLE_LIST,     /* matches the filter of lists: a group, or a person */
    LDAP_ROLE_RANGE,    /* more members of a group */
    LDAP_ROLE_PERSON,   /* found among the people */
    LDAP_ROLE_FOUND,    /* the same, by a memberURL */
    LDAP_ROLE_EXCLUDED, /* matches people_not */
    LDAP_ROLE_NESTS,    /* found among the people, but has members itself */
    LDAP_ROLE_UNKNOWN, /* a member that is neither: may be a group that no filter found */
};

/* A group's member: an object, an address or a uid. */
enum ldap_member_kind { LDAP_MEMBER_OBJECT, LDAP_MEMBER_ADDRESS, LDAP_MEMBER_UID };
struct ldap_member {
    uint32_t kind : 2;
    uint32_t id : 30; /* in dns, addresses or uids */
};

/* An entry of the directory, or a DN that some group names as its member. */
struct ldap_object {
    uint32_t group;   /* LDAP_GROUPS_NONE: it is none */
    uint32_t address; /* in addresses; LDAP_GROUPS_NONE: it has none */
    bool member;      /* of some group */
    bool known;       /* found among the people, or looked up */
    bool nests;       /* has members, and was not looked up */
    bool excluded;
    bool elsewhere; /* the server refers to another one */
};

/* Of an attribute of members that the server gives in parts. */
struct ldap_range {
    size_t attribute; /* in member_attributes */
    int64_t next;     /* its next value to be asked for; 0: that is all */
};

struct ldap_group {
    uint32_t object;
    bool listed;      /* it matches the filter: a list, if it has an address */
    bool always_list; /* a group by its class, however few its members are */
    uint32_t sid;     /* in sids; LDAP_GROUPS_NONE: it has none */
    char *fault;      /* why its members are not known; NULL: they are */
    struct strings addresses;
    struct strings urls; /* memberURL, not searched yet */
    struct ldap_member *members;
    size_t member_count;
    struct ldap_range *ranges;
    size_t range_count;
};

struct ldap_groups {
    const struct ldap_settings *settings;
    struct intern *dns, *addresses, *uids, *sids;
    struct ldap_object *objects; /* by the number of their DN */
    size_t object_count;
    uint32_t *uid_objects; /* by the number of the uid; LDAP_GROUPS_NONE: nobody */
    size_t uid_count;
    struct ldap_group *groups;
    size_t group_count;
    struct ldap_primary {
        uint32_t sid, object;
    } * primaries; /* who has which primary group */
    size_t primary_count;
    struct ldap_reading *reading; /* the current entry */
};

/* settings are preset, and borrowed. NOMEM. Clear whatever the result. */
enum status ldap_groups_init(struct ldap_groups *groups,
                             const struct ldap_settings *settings) MUST_CHECK;
void ldap_groups_clear(struct ldap_groups *groups);

/* The next entries are read as this. number: of LDAP_ROLE_FOUND the group, of
 * LDAP_ROLE_RANGE the one of the group's ranges that was asked for; else 0. */
void ldap_groups_expect(struct ldap_groups *groups, enum ldap_role role, uint32_t number);

/* As struct ldap_consumer wants them; context is the groups. NOMEM or LIMIT. */
enum status ldap_groups_entry(void *context, const char *dn, size_t length) MUST_CHECK;
enum status ldap_groups_attribute(void *context, const char *name) MUST_CHECK;
enum status ldap_groups_value(void *context, const char *data, size_t length) MUST_CHECK;

/* Makes an object a member of a group of this number. */
enum status ldap_groups_add(struct ldap_groups *groups, uint32_t group,
                            uint32_t object) MUST_CHECK;

/* The members of a group of this number can't be read; the first reason stays. NOMEM. */
enum status ldap_groups_fail(struct ldap_groups *groups, uint32_t group,
                             const char *reason) MUST_CHECK;

/* Ends the last entry of a search. */
enum status ldap_groups_end(struct ldap_groups *groups) MUST_CHECK;

#endif
