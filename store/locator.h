/* Finds the server that the store is on, and connects to it: the one that the settings
 * name, the master that Sentinels name, or the Cluster's node that has our keys. Of one
 * thread, off the mail path: it looks up names and asks several servers. */
#ifndef STORE_LOCATOR_H
#define STORE_LOCATOR_H

#include "conf/settings.h"
#include "store/connection.h"
#include "store/place.h"

enum { LOCATOR_TEXT_SIZE = 700 };

struct locator;

/* Reads the files of passwords and certificates; settings are borrowed until
 * locator_free. NOMEM; IO when a file can't be read; INVALID for a server that is none.
 */
enum status locator_new(const struct store_settings *settings,
                        struct locator **out_locator, struct error *error) MUST_CHECK;
void locator_free(struct locator *locator); /* NULL is allowed */

/* A new connection to the server that has the store now. Each server on the way gets
 * step_ms to answer. again: where the last one led, if that still has the store. Results
 * as of connection_open; UNAVAILABLE also when no server has it, or nobody says which.
 * error is not NULL. */
enum status locator_open(struct locator *locator, int step_ms, bool again,
                         struct connection **out_connection,
                         struct error *error) MUST_CHECK;

/* Whether the next Sentinel names another master than that where the last locator_open
 * led; it gets step_ms to answer. False when it does not, and without Sentinels. */
bool locator_is_elsewhere(struct locator *locator, int step_ms);

/* None of the Sentinels answered when it was asked last. */
bool locator_is_blind(const struct locator *locator);

/* A new connection to another server, as to the store's. */
enum status locator_open_at(const struct locator *locator, const struct place *place,
                            int step_ms, struct connection **out_connection,
                            struct error *error) MUST_CHECK;

/* Of every key. Borrowed. */
const char *locator_prefix(const struct locator *locator);

/* Where the last locator_open led. */
const struct place *locator_place(const struct locator *locator);

/* The same for an administrator, with who says so: "tcp:10.0.0.2:6379, which Sentinel
 * tcp:10.0.0.9:26379 names as master \"mail\"". */
void locator_describe(const struct locator *locator, char out[LOCATOR_TEXT_SIZE]);

#endif
