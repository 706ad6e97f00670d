/* Brakes, allowances and permits in force: read from the store every 250 ms, kept when it
 * is away, looked at by every message without asking anybody. */
#ifndef QUARANTINE_ACTIVE_BRAKES_H
#define QUARANTINE_ACTIVE_BRAKES_H

#include <jansson.h>

#include "policy/brake.h"
#include "store/documents.h"

struct active_brakes;

/* store is borrowed. NULL without memory. Free it when all that was taken is released. */
struct active_brakes *active_brakes_new(struct store *store);
void active_brakes_free(struct active_brakes *active);

/* The brakes of now, with a reference: give it back with active_brakes_release. Reading
 * the pointer and taking the reference is one critical section. Never NULL, may be empty.
 */
const struct brakes *active_brakes_take(struct active_brakes *active);
void active_brakes_release(struct active_brakes *active, const struct brakes *brakes);

/* Writes what was put off, and reads them anew; those that lapsed are dropped, here and
 * in the store. own: for keys. UNAVAILABLE: what was seen before stays in force until it
 * lapses. */
enum status active_brakes_refresh(struct active_brakes *active, const struct domains *own,
                                  int64_t now_ms, int64_t deadline_us) MUST_CHECK;

/* Sets, clears and lists; each refreshes this process at once, and writes the state file
 * if there is one, so that a memory store's brakes outlive a crash. NOT_FOUND when there
 * was nothing to clear. With the store away a brake is set here, and put off there until
 * it is back, over a restart if there is a state file; such a one can be cleared, too.
 * brake is borrowed. */
enum status active_brakes_set(struct active_brakes *active, const struct brake *brake,
                              int64_t deadline_us) MUST_CHECK;
enum status active_brakes_clear(struct active_brakes *active, const char *key,
                                int64_t deadline_us) MUST_CHECK;
enum status active_brakes_allow(struct active_brakes *active,
                                const struct allowance *allowance,
                                int64_t deadline_us) MUST_CHECK;

/* A permit likewise; its id is new. Ending it moves it to those that ended: NOT_FOUND
 * when none in force, or to come, has that id. own: for keys. by: who ends it. */
enum status active_brakes_permit(struct active_brakes *active,
                                 const struct permit *permit,
                                 int64_t deadline_us) MUST_CHECK;
enum status active_brakes_end_permit(struct active_brakes *active,
                                     const struct domains *own, const char *id,
                                     const char *by, int64_t now_ms,
                                     int64_t deadline_us) MUST_CHECK;

/* A number that grows whenever what is in force here has changed, by one of these or by a
 * reading of what other relays wrote. */
uint64_t active_brakes_version(struct active_brakes *active);

/* [{"key", "action", "until", "by", "reason"}], until in ISO 8601 or null; and "pending":
 * true when it is on this relay alone, until the store is back. */
json_t *active_brakes_json(struct active_brakes *active, int64_t now_ms);

#endif
