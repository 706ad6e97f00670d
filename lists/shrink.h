/* A list that suddenly lost its members: more likely a broken export than a smaller list.
 */
#ifndef LISTS_SHRINK_H
#define LISTS_SHRINK_H

#include <stdint.h>

#include "base/status.h"
#include "conf/settings.h"
#include "lists/entries.h"

/* The entries of a source as they were last read successfully. Those of lists that have
 * not grown, or whose growth was accepted, have an accepted_count of 0. */
struct shrink_last {
    struct entries *entries; /* lends fresh the members that count on */
    int64_t read_at_ms;
};

/* Lists of fresh, just read at now_ms, that are empty or jumped down keep the members
 * they had beside those they have, until the former are older than the source's
 * max_age_ms. A list that is back at the size it had before it grew did not jump. A list
 * that is no longer there counts as empty if it had more than growth_floor, if it was in
 * a folder, or if its whole table shrank so. None does with a max_growth of 0. NOMEM, or
 * LIMIT past a cap of entries; last is then as it was. */
enum status shrink_keep(const struct list_source *source, const struct shrink_last *last,
                        int64_t now_ms, struct entries *fresh) MUST_CHECK;

#endif
