/* The entries of one source of lists: each a key and its members. */
#ifndef LISTS_ENTRIES_H
#define LISTS_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/intern.h"
#include "base/status.h"
#include "lists/member_list.h"
#include "policy/address.h"
#include "policy/domains.h"

enum entry_kind {
    ENTRY_LIST,
    ENTRY_REDIRECT, /* a single address: mail to the key goes to that one */
    ENTRY_SELF,     /* a single program or file: means the addressed person */
};

struct entry {
    enum entry_kind kind;
    int line;           /* of the source */
    bool always_list;   /* of a member file, or with an :include: */
    bool failed;        /* an :include: could not be read */
    bool absent;        /* no longer in the source: there for what it kept */
    int64_t read_at_ms; /* of a failed or shrunk entry: its last good read, 0 for never */
    size_t settled_bytes;  /* of members, as counted in entries */
    size_t accepted_count; /* members before it grew, until that is accepted; 0: it
                            * didn't grow */
    struct member_list members;
    struct member_list kept; /* a shrunk entry's members of before: see shrink.h */
};

/* Zero-initialise; clear when done. Keys are canonical: "user", "user@domain", "@domain";
 * a member file has one entry with the key "". */
struct entries {
    struct intern *keys; /* the number of a key is the number of its entry */
    struct entry *items;
    size_t count;
    size_t bytes; /* of the members of settled entries */
    /* A table that shrank as a whole (see shrink.h): members it has and had; else 0. */
    size_t shrunk_to, shrunk_from;
};

enum { ENTRIES_MAX = 5000000 };
#define ENTRIES_BYTES_MAX ((size_t)2 << 30) /* of members in one source */

/* A key, or the target of a redirection, as the directory spells it; also "@domain".
 * INVALID when it isn't an address. */
enum status entries_spell(const char *key, size_t length, struct address *out) MUST_CHECK;

/* The same in the domain of this number, where it has none of its own and there are so
 * many; domains may be those of a source. */
enum status entries_address(const char *key, const struct domains *domains, size_t domain,
                            struct address *out) MUST_CHECK;

/* The entry of a key as written: found, or added (then its line is 0). INVALID when the
 * key is no address; NOMEM or LIMIT. The pointer lives until the next call. */
enum status entries_open(struct entries *entries, const char *key, size_t length,
                         struct entry **out) MUST_CHECK;

/* Call once all members of an entry are added: sets its kind and frees spare memory.
 * NOMEM when its member list failed, LIMIT past ENTRIES_BYTES_MAX. */
enum status entries_settle(struct entries *entries, struct entry *entry) MUST_CHECK;

/* NULL when there is none. */
struct entry *entries_find(const struct entries *entries, const char *key);

/* Borrowed until the next entries_open. */
const char *entries_key(const struct entries *entries, size_t index);

void entries_clear(struct entries *entries);

#endif
