/* Permits as documents of the store, and as people see them: in force, to come, and, for
 * privacy.retention, ended. */
#ifndef QUARANTINE_PERMITS_H
#define QUARANTINE_PERMITS_H

#include <jansson.h>

#include "policy/permit.h"
#include "store/documents.h"

struct active_brakes;

/* {"id", "key", "to", "copies", "from", "until", "by", "reason"}, times in ms. NULL
 * without memory. */
json_t *permits_record(const struct permit *permit);

/* The opposite; the caller clears out. INVALID for what this version can't read; NOMEM.
 */
enum status permits_read(const json_t *record, const struct domains *own,
                         struct permit *out) MUST_CHECK;

/* Moves a permit, whose document is value, to those that ended. by: who ended it; "": it
 * lapsed. CONFLICT when it is not that document any more, and as store_change. */
enum status permits_move(struct store *store, const struct permit *permit,
                         const char *value, const char *by, int64_t at_ms,
                         int64_t deadline_us) MUST_CHECK;

/* What to show, and of whom to ask it. Borrowed. */
struct permits_query {
    struct active_brakes *active;
    struct store *store;
    const char *id; /* of one permit, ended or not; NULL: of all */
    bool ended;     /* those that ended, too */
    int64_t now_ms, deadline_us;
};

/* [{"id", "key", "to", "copies", "left", "from", "until", "by", "reason", "state",
 * "ended_at", "ended_by"}], those that end first first, then those that ended, latest
 * first. Times in ISO 8601; left is null when the store does not say. state: "scheduled",
 * "active", "used" (up), "lapsed", "ended" (by hand); without ended only the first two.
 * "pending": true when it is on this relay alone, until the store is back. UNAVAILABLE
 * when those that ended are asked for, and can't be read; NOMEM. */
enum status permits_list(const struct permits_query *query, json_t **out) MUST_CHECK;

/* Forgets those that ended over retention_ms ago. UNAVAILABLE, NOMEM. */
enum status permits_prune(struct store *store, int64_t now_ms, int64_t retention_ms,
                          int64_t deadline_us) MUST_CHECK;

#endif
