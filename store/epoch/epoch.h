/* Whether the shared store is still the one that this relay knows, with all that it has
 * seen there. One that is not has lost data, and is given back what the relay saw last
 * before mail is charged there. */
#ifndef STORE_EPOCH_EPOCH_H
#define STORE_EPOCH_EPOCH_H

#include "store/epoch/last_seen.h"
#include "store/store.h"

struct epoch;

/* What may have become of what was charged last. */
enum epoch_doubt {
    EPOCH_SURE,  /* the store was there all the time */
    EPOCH_AWAY,  /* it was away: the last moment may be lost */
    EPOCH_MOVED, /* another server has it: so may be what that had not copied yet */
};

/* prefix, and key, are borrowed. NULL without memory. */
struct epoch *epoch_new(const char *prefix, const struct digest_key *key,
                        struct store_reporter reporter);
void epoch_free(struct epoch *epoch); /* NULL is allowed */

/* Before mail uses a connection: writes back what was seen last if the store has lost
 * data, or what it may have lost. Only one thread may. Each round trip may take step_ms.
 * CONFLICT while a Cluster moves the keys: mail may use the connection, but the store is
 * yet to be entered. Else as connection_ask; mail must not use it then. */
enum status epoch_enter(struct epoch *epoch, struct connection *connection,
                        enum epoch_doubt doubt, int step_ms,
                        struct error *error) MUST_CHECK;

/* Four times a second: whether it is still the same. Then the store is told what is owed.
 * CONFLICT when it is not: the connection has moved (connection_leave), and so are all
 * others to be left, and entered anew. Only one thread may. As connection_ask. */
enum status epoch_tick(struct epoch *epoch, struct connection *connection,
                       int64_t deadline_us, struct error *error) MUST_CHECK;

/* The same question alone, from any thread. */
enum status epoch_look(struct epoch *epoch, struct connection *connection,
                       int64_t deadline_us, struct error *error) MUST_CHECK;

/* How many stores were entered: another number than before a charge, and what it found is
 * worth nothing. */
uint64_t epoch_number(struct epoch *epoch);

/* Borrowed. */
struct last_seen *epoch_last_seen(struct epoch *epoch);

#endif
