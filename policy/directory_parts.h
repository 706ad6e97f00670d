/* What directory.c (building), directory_find.c, directory_seal.c and reach.c share;
 * private to them. */
#ifndef POLICY_DIRECTORY_PARTS_H
#define POLICY_DIRECTORY_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include <roaring/roaring.h>

#include "base/intern.h"
#include "policy/directory.h"
#include "policy/numbers.h"

/* What an interned string means as an address, by its number. */
struct name {
    uint32_t target;           /* the name it is redirected to, or DIRECTORY_NONE */
    uint32_t list_plus_1 : 24; /* see name_list */
    bool person : 1;           /* at the seal: nothing but this person, as most are */
    bool doubted : 1;          /* "@domain" of which not all lists are known */
    bool local : 1;            /* some of this is from aliases(5) */
    bool elsewhere : 1;        /* some is not */
};
_Static_assert(DIRECTORY_LISTS_MAX < 1 << 24, "list_plus_1 holds any");

/* The list that answers there, or DIRECTORY_NONE. */
static inline uint32_t name_list(const struct name *name)
{
    return (uint32_t)name->list_plus_1 - 1;
}

static inline void name_set_list(struct name *name, uint32_t list)
{
    name->list_plus_1 = (list + 1) & 0xffffff;
}

struct list_node {
    struct list list; /* its strings and sizes are set by the seal */
    uint32_t address;
    uint32_t source; /* in sources */
    /* As written until the seal resolves them: then persons alone; then empty. */
    struct numbers members;
    struct numbers parts; /* of a joined list: the lists that met at its address */
    bool joined;
    bool local;            /* from aliases(5) */
    uint32_t flat;         /* of its persons */
    struct numbers nested; /* all lists in it, ascending */
};

struct directory {
    const struct domains *own;
    struct intern *strings; /* addresses, and opaque members after an OPAQUE */
    struct intern *sources;
    struct name *names;
    struct shared_text **texts; /* kept for strings that are borrowed */
    size_t text_count;
    struct list_node *nodes;
    uint32_t node_count;
    uint64_t member_count; /* as written */
    const char *passed;    /* the cap that was passed while building, or NULL */
    roaring_bitmap_t **flats;
    uint32_t flat_count;
    roaring_bitmap_t *external; /* all persons outside the own domains */
    bool local;                 /* what is entered now is from aliases(5) */
    bool sealed;
};

/* No canonical address begins with it. */
enum { OPAQUE = '\x01' };

/* Interns a string and makes room for what it means. */
enum status directory_intern(struct directory *directory, const char *data, size_t length,
                             uint32_t *out_name) MUST_CHECK;

/* Persons without a domain are local to the MTA. */
bool directory_is_external(const struct directory *directory,
                           const struct address *address);

/* The persons on a list, once sealed. */
const roaring_bitmap_t *directory_persons(const struct directory *directory,
                                          uint32_t list);

/* directory_find but for literals, and out->address is where a list was found, not the
 * list's own address. Also while sealing: then whatever holds a list has it set. local: a
 * member of aliases(5), which virtual(5) makes no other person. False when nothing was
 * redirected: then local makes no difference. */
bool directory_follow(const struct directory *directory, const struct address *address,
                      bool local, struct target *out);

/* The same for the local part of address in an own domain, by its index; a person when
 * that is too long to be anything. */
void directory_find_in_own(const struct directory *directory,
                           const struct address *address, size_t domain,
                           struct target *out);

#endif
