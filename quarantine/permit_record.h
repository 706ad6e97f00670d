/* Permits as documents of the store, and as people are shown them. */
#ifndef QUARANTINE_PERMIT_RECORD_H
#define QUARANTINE_PERMIT_RECORD_H

#include <jansson.h>

#include "policy/permit.h"
#include "store/documents.h"

/* {"id", "key", "to", "copies", "from", "until", "by", "reason"}, times in ms. NULL
 * without memory. */
json_t *permit_record_new(const struct permit *permit);

/* The opposite; the caller clears out. INVALID for what this version can't read; NOMEM.
 */
enum status permit_record_read(const json_t *record, const struct domains *own,
                               struct permit *out) MUST_CHECK;

/* The copies that are left of each permit, and whether the store said so (false: it is
 * away, and nothing is written). NOMEM. */
enum status permit_record_left(struct store *store, const struct permit *permits,
                               size_t count, int64_t deadline_us, int64_t *out_left,
                               bool *out_known) MUST_CHECK;

/* Moves a permit, whose document is value, to those that ended. by: who ended it; "": it
 * lapsed. CONFLICT when it is not that document any more, and as store_change. */
enum status permit_record_end(struct store *store, const struct permit *permit,
                              const char *value, const char *by, int64_t at_ms,
                              int64_t deadline_us) MUST_CHECK;

#endif
