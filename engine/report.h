/* What was stopped, and would have been, over some days: as JSON, and as text for people.
 */
#ifndef ENGINE_REPORT_H
#define ENGINE_REPORT_H

#include <jansson.h>

#include "base/text.h"
#include "quarantine/ledger.h"

struct store;

/* Reads all incidents since since_ms, wall time, until deadline_us (monotonic):
 * {"since", "until", "rules": [{"name", "held", "refused", "deferred", "would", "days":
 * [{"day", ...}]}], "senders": [{"key", "messages", "copies", "stopped"}], "lists",
 * "clients", "incidents": [{"id", "rule", "key", "held", "refused", "deferred", "would",
 * "copies", "reach", "last_at"}]}. Counts are of whole days, in UTC. UNAVAILABLE, NOMEM.
 */
enum status report_make(struct ledger *ledger, struct store *store, int64_t since_ms,
                        int64_t deadline_us, json_t **out) MUST_CHECK;

/* The same in lines of at most 100 bytes where keys allow it, safe for a terminal and for
 * mail. */
void report_write(const json_t *report, struct text *out);

#endif
