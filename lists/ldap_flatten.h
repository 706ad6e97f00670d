/* Groups of a directory as entries of a source of lists. */
#ifndef LISTS_LDAP_FLATTEN_H
#define LISTS_LDAP_FLATTEN_H

#include <stdbool.h>

#include "base/problems.h"
#include "lists/entries.h"
#include "lists/ldap_groups.h"

struct ldap_counts {
    size_t lists, members;
    size_t empty;    /* of the lists: without members */
    size_t nameless; /* of the members: no address could be found */
};

/* Every list with its members; a nested list stands in it by its address, and a group
 * without an address by one that is made up for it: a list of its own. Who has no address
 * is one person, the same in all lists, and so is whoever is no longer there. A list
 * whose members can't be read is a failed entry and an error at place; one whose
 * addresses are invalid is a warning. NOMEM, or LIMIT past a cap of entries. */
enum status ldap_flatten(struct ldap_groups *groups, const char *place,
                         struct entries *entries, struct problems *problems,
                         struct ldap_counts *out) MUST_CHECK;

/* Whether the address is one that ldap_flatten made up: nobody can write to it. */
bool ldap_flatten_made_up(const char *address);

#endif
