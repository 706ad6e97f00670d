/* Every list, flattened: who is reached by an address. Built once, sealed, then immutable
 * and safe to read from any thread. Addresses are integers, a list is a Roaring bitmap.
 */
#ifndef POLICY_DIRECTORY_H
#define POLICY_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/intern.h"
#include "base/problems.h"
#include "base/shared_text.h"
#include "base/status.h"
#include "policy/address.h"
#include "policy/domains.h"

struct directory;

enum {
    DIRECTORY_DEPTH_MAX = 50,         /* lists within lists */
    DIRECTORY_LISTS_MAX = 1000000,    /* lists */
    DIRECTORY_MEMBERS_MAX = 50000000, /* members as written, all lists together */
};

enum list_state {
    LIST_OK,
    LIST_STALE,   /* the last read failed: these are the last good members */
    LIST_SHRUNK,  /* suddenly far fewer, or none: those from before count, too */
    LIST_GROWN,   /* suddenly far more, and nobody has accepted that */
    LIST_UNKNOWN, /* its members are not known */
};

struct list {
    const char *address; /* canonical, borrowed */
    const char *source;  /* file it came from, borrowed */
    int64_t read_at_ms;  /* wall time of the last good read */
    enum list_state state;
    uint64_t size;     /* distinct persons, once sealed */
    uint64_t external; /* of them outside the own domains */
    uint64_t was;      /* the size last accepted, see directory_set_was */
};

/* ---- building; NOMEM or LIMIT are the only failures, unless said otherwise ---- */

/* own is borrowed for the directory's life. NULL when out of memory. */
struct directory *directory_new(const struct domains *own);
void directory_free(struct directory *directory);

/* Says whether the next entries come from aliases(5). Postfix's local(8) looks up an
 * alias's members in own domains in aliases(5) alone, never in virtual(5). */
void directory_set_local(struct directory *directory, bool local);

/* A new list without members. address and source are copied; address must be canonical.
 */
enum status directory_add_list(struct directory *directory, const char *address,
                               const char *source, enum list_state state,
                               int64_t read_at_ms, uint32_t *out_list) MUST_CHECK;

/* Makes the list answer at a canonical address ("@domain" catches the rest of a domain).
 * Where two lists answer at one address, it means both together. */
enum status directory_bind(struct directory *directory, const char *address,
                           uint32_t list) MUST_CHECK;

/* Adds a member as written in a file; one without a domain gets default_domain (may be
 * NULL). INVALID (with the reason in error) when it is no address, or holds two '@': then
 * nothing was added. */
enum status directory_add_member(struct directory *directory, uint32_t list,
                                 const char *raw, size_t length,
                                 const char *default_domain,
                                 struct error *error) MUST_CHECK;

/* Makes room at once for so many members, if they are more than all there are. */
enum status directory_expect(struct directory *directory, size_t members) MUST_CHECK;

/* Adds members that address_is_plain; their hashes are set here. lasting: the strings
 * outlive the directory and are borrowed. */
enum status directory_add_plain(struct directory *directory, uint32_t list,
                                struct intern_text *addresses, size_t count,
                                bool lasting) MUST_CHECK;

/* Keeps a text, whose reference is taken over, also on failure, as long as the directory.
 */
enum status directory_keep(struct directory *directory,
                           struct shared_text *text) MUST_CHECK;

/* Adds a member that isn't an address (a program, a file): counts as one person of its
 * own.
 */
enum status directory_add_opaque(struct directory *directory, uint32_t list,
                                 const char *raw, size_t length) MUST_CHECK;

/* An entry with a single target: mail to address goes to target. Both canonical. "@a" to
 * "@b" renames a whole domain. A virtual(5) entry that names itself yields to aliases(5).
 */
enum status directory_redirect(struct directory *directory, const char *address,
                               const char *target) MUST_CHECK;

/* Marks an own domain a source of whose lists was never read: an address not found there
 * is unknown instead of a person, and so is a list that contains it. */
enum status directory_doubt_domain(struct directory *directory,
                                   const char *domain) MUST_CHECK;

/* Flattens nested lists. Cycles of lists are one warning each that names the path (a list
 * that names itself means its own mailbox and is no warning); LIMIT past a cap, with an
 * error in problems. Nothing may be added afterwards. */
enum status directory_seal(struct directory *directory,
                           struct problems *problems) MUST_CHECK;

/* After the seal, and before others read: the size of a list that was last accepted, and
 * whether it has grown since (LIST_GROWN). */
void directory_set_was(struct directory *directory, uint32_t list, uint64_t was,
                       bool grown);

/* ---- reading, after directory_seal ---- */

enum target_kind {
    TARGET_PERSON,
    TARGET_LIST,
    TARGET_UNKNOWN, /* a list (then list is set), or an address that may be one */
};

struct target {
    enum target_kind kind;
    uint32_t list;          /* TARGET_LIST and TARGET_UNKNOWN; else DIRECTORY_NONE */
    uint32_t person;        /* TARGET_PERSON: its number, DIRECTORY_NONE if it has none */
    struct address address; /* the canonical person or list that is meant, for people */
};

#define DIRECTORY_NONE UINT32_MAX

/* Whom an address means: looked up whole, then without its tag. An address literal means
 * the largest list of that local part in any own domain. Redirections are followed (at
 * most DIRECTORY_DEPTH_MAX), with the tag where an entry with it exists. A person of an
 * own domain loses its tag. A list that contains an unknown list is unknown. Always
 * answers. */
void directory_find(const struct directory *directory, const struct address *address,
                    struct target *out);

uint32_t directory_list_count(const struct directory *directory);
const struct list *directory_list(const struct directory *directory, uint32_t list);

/* True when some of it is from aliases(5): what the MTA expands when it delivers. */
bool directory_is_local(const struct directory *directory, uint32_t list);

/* True when member is on the list, also through a nested one. */
bool directory_is_member(const struct directory *directory, uint32_t list,
                         const struct address *member);

/* True when outer is inner or contains it, at any depth. */
bool directory_contains(const struct directory *directory, uint32_t outer,
                        uint32_t inner);

/* The lists in outer (without itself), ascending; borrowed, count in out_count. */
const uint32_t *directory_nested(const struct directory *directory, uint32_t outer,
                                 size_t *out_count);

#endif
