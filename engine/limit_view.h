/* What the store knows of a rule's key, for showing it: level, latch, the last windows.
 */
#ifndef ENGINE_LIMIT_VIEW_H
#define ENGINE_LIMIT_VIEW_H

#include <jansson.h>

#include "base/text.h"
#include "store/store.h"

/* What the store says of a charge. */
struct limit_view {
    struct charge_outcome outcome;
    struct window window; /* of a surge */
};

/* Reads count charges, and changes nothing. UNAVAILABLE, NOMEM. */
enum status limit_view_read(struct store *store, const struct charge *charges,
                            size_t count, int64_t deadline_us, struct limit_view *out,
                            enum charge_source *out_source) MUST_CHECK;

/* {"subject", "cost", "most", "left", "burst", "latched_until", and of a surge
 * "window_copies", "window_ends_at", "windows": [{"copies", "ended_at"}]}; what is not
 * known is null. view may be NULL. NULL when out of memory. */
json_t *limit_view_json(const struct charge *charge, const struct limit_view *view,
                        int64_t now_ms);

/* "costs 3, left 9 of 10 for login:a@b; at most 20 in 1h"; view may be NULL. */
void limit_view_say(const struct charge *charge, const struct limit_view *view,
                    struct text *out);

#endif
