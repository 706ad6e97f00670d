/* What the store knows of a rule's key, for showing it: level, latch, the last windows.
 */
#ifndef ENGINE_METER_H
#define ENGINE_METER_H

#include <jansson.h>

#include "base/text.h"
#include "store/store.h"

/* What was read of a charge. */
struct meter {
    struct charge_outcome outcome;
    struct window window; /* of a surge */
};

/* Reads count charges, and changes nothing. UNAVAILABLE, NOMEM. */
enum status meter_read(struct store *store, const struct charge *charges, size_t count,
                       int64_t deadline_us, struct meter *out,
                       enum charge_source *out_source) MUST_CHECK;

/* {"subject", "cost", "most", "left", "burst", "latched_until", and of a surge
 * "window_copies", "window_ends_at", "windows": [{"copies", "ended_at"}]}; what is not
 * known is null. meter may be NULL. NULL without memory. */
json_t *meter_json(const struct charge *charge, const struct meter *meter,
                   int64_t now_ms);

/* "costs 3, left 9 of 10 for login:a@b; at most 20 in 1h"; meter may be NULL. */
void meter_say(const struct charge *charge, const struct meter *meter, struct text *out);

#endif
