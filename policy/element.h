/* An element of from, to, groups, trusted or relays: a pattern for a sender, a client or
 * a recipient. */
#ifndef POLICY_ELEMENT_H
#define POLICY_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/network.h"
#include "base/status.h"
#include "policy/domains.h"

enum element_kind {
    ELEMENT_GROUP,        /* text: the group's name; gone once the policy is linked */
    ELEMENT_LOGIN,        /* text: glob, with or without domain */
    ELEMENT_CLIENT,       /* network and prefix */
    ELEMENT_CLIENT_LOCAL, /* client:local */
    ELEMENT_NULL_SENDER,  /* <> */
    ELEMENT_ADDRESS,      /* text: canonical address, may hold '*' */
    ELEMENT_DOMAIN,       /* text: the domain, without '@' */
    ELEMENT_LIST,         /* text: canonical address of the list */
    ELEMENT_ANY_LIST,     /* list:* */
};

struct element {
    enum element_kind kind;
    int line;         /* of the configuration */
    const char *file; /* where that line is, borrowed; NULL: the configuration's own */
    char *text;       /* never NULL; of the other kinds: as written, for messages */
    struct network network;
};

struct elements {
    struct element *items;
    size_t count;
    size_t sender_set; /* of a linked from or from_not: equal ones share it; else 0 */
};

/* Parses one element; a bare word is a group. text is owned by the caller, freed by
 * element_clear; line and file are left 0. INVALID with a reason for anything
 * else, also for two '@' (a missing comma joins two strings). */
enum status element_parse(const char *string, const struct domains *own,
                          struct element *out, struct error *error) MUST_CHECK;
void element_clear(struct element *element);

/* The element as one writes it, cut to size: "login:press-*". */
void element_format(const struct element *element, char *out, size_t size);

enum status elements_add(struct elements *elements,
                         const struct element *element) MUST_CHECK; /* takes text over */
void elements_clear(struct elements *elements);

#endif
