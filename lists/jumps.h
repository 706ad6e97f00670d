/* Lists that jump: the size of each that was last accepted, and which of them have grown
 * or shrunk since. Sizes are persons, all nested lists flattened. */
#ifndef LISTS_JUMPS_H
#define LISTS_JUMPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/problems.h"
#include "base/status.h"
#include "conf/settings.h"
#include "policy/directory.h"

struct jumps;

/* True when a list that has more members now and less before, or the other way round,
 * jumped: by more than growth_floor, and to more than max_growth times as many. */
bool jumps_is_jump(const struct list_source *source, uint64_t less, uint64_t more);

/* folder: where the sizes are kept across restarts, NULL for nowhere; borrowed. NULL when
 * out of memory. */
struct jumps *jumps_new(const char *folder);
void jumps_free(struct jumps *jumps);

/* Reads the folder, once; call before the members of any list are compared. A damaged
 * file is a warning, or nothing if only_look. NOMEM is the only failure. */
enum status jumps_load(struct jumps *jumps, bool only_look,
                       struct problems *problems) MUST_CHECK;

/* Where a list of the directory comes from. */
struct list_origin {
    const struct list_source *source; /* NULL: it joins others, or is made up */
    int line;
    uint64_t was; /* if it was no list before it jumped: its size then; else 0 */
};

/* What jumps_apply works on; all borrowed. */
struct jumps_args {
    struct directory *directory;       /* sealed, and not read by others yet */
    const struct list_origin *origins; /* by the number of the list */
    uint32_t origin_count;
    int64_t now_ms;
    bool only_look; /* the folder stays as it is */
    struct problems *problems;
};

/* Compares every list with the size last accepted. One that jumped up (jumps_is_jump) is
 * marked LIST_GROWN, with a warning; it keeps the accepted size. A list that grew only
 * because one in it has grown is no jump of its own. All other sizes are accepted as they
 * are; those of unknown and shrunk lists stay. Call jumps_load first. What goes wrong
 * with the folder is a warning. NOMEM is the only failure. */
enum status jumps_apply(struct jumps *jumps, const struct jumps_args *args) MUST_CHECK;

struct list_jump {
    char *address; /* owned */
    uint64_t was, size;
    bool grown; /* else it has shrunk */
};

/* Zero-initialise; clear when done. */
struct list_jumps {
    struct list_jump *items;
    size_t count;
};
void list_jumps_clear(struct list_jumps *list);

/* Accepts a list's size, or with NULL those of all that jumped; out says which. The next
 * import first drops what a shrunk one kept, and the next jumps_apply finds no jump. A
 * list that has grown and then lost its members is shrunk then: that is another jump.
 * directory: the one that was applied to. NOT_FOUND when the list did not jump; NOMEM. */
enum status jumps_accept(struct jumps *jumps, const struct directory *directory,
                         const char *address, struct list_jumps *out) MUST_CHECK;

/* Gives the jumps the sizes that these lists have since the last jumps_apply. */
void jumps_look_again(const struct jumps *jumps, struct list_jumps *list);

/* True of a list that had shrunk, from jumps_accept to the next jumps_apply. */
bool jumps_is_accepted(const struct jumps *jumps, const char *address);

/* True when the last jumps_apply found that a list has grown, until that is accepted. */
bool jumps_is_grown(const struct jumps *jumps, const char *address);

/* Jumps of which the administrators have not been notified in all the ways wanted (bits,
 * the caller's). Only those that share the ways done so far, *out_notified: one notice
 * then does for all of them. NOMEM. */
enum status jumps_to_notify(const struct jumps *jumps, int64_t wanted,
                            struct list_jumps *out, int64_t *out_notified) MUST_CHECK;

/* Keeps in which ways the administrators have been notified of these. After IO or NOMEM
 * they may get the same notice again after a restart. */
enum status jumps_set_notified(struct jumps *jumps, const struct list_jumps *list,
                               int64_t notified, struct error *error) MUST_CHECK;

#endif
