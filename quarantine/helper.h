/* Orders to mailbrake-mta(8). */
#ifndef QUARANTINE_HELPER_H
#define QUARANTINE_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

/* A message in the MTA's queue, strings borrowed. */
struct queued {
    const char *queue; /* "hold", "active", "incoming", "deferred", ... */
    const char *queue_id;
    const char *sender;   /* "" is <> */
    long long arrived_s;  /* since 1970 */
    long long recipients; /* 0: the helper does not say */
};

/* socket: mta.helper. All: OK, NOT_FOUND when the message is not there (any more),
 * UNAVAILABLE when the helper does not answer in time, INVALID with the helper's error.
 * See mailbrake-mta(8). */
enum status helper_list(const char *socket, int timeout_ms,
                        void (*each)(void *context, const struct queued *queued),
                        void *context, struct error *error) MUST_CHECK;
enum { HELPER_BATCH_MAX = 100 };

/* One message's part in a batch. */
struct helper_order {
    const char *queue_id;
    const char *check;   /* "hold_id=ID" and so on; NULL where the verb only looks */
    const char *address; /* whom a refusal notifies; "-": nobody. NULL for other verbs */

    enum status status; /* NOT_FOUND, INVALID with the helper's error, or as below */
    struct error error; /* begins with the queue id */
    char *value;        /* what a look found, for free(3); else NULL */
    bool untold;        /* refused, but the MTA can't write to address */
};

/* verb: header (value: the last X-Mailbrake field, or ""), envelope (value: JSON),
 * release, delete, hold or refuse (text is a whole message, for the one address of all
 * orders). At most HELPER_BATCH_MAX orders, one connection, until deadline_us
 * (monotonic). OK when each was answered. Otherwise the unanswered ones have the call's
 * status and error: they may or may not have been carried out. */
enum status helper_do(const char *socket, int64_t deadline_us, const char *verb,
                      struct helper_order *orders, size_t count, const char *text,
                      struct error *error) MUST_CHECK;
/* Adds the folder of the MTA's queue to out. */
enum status helper_queue(const char *socket, int timeout_ms, struct text *out,
                         struct error *error) MUST_CHECK;

/* Sends a message; addresses separated by blanks. */
enum status helper_notice(const char *socket, int timeout_ms, const char *addresses,
                          const char *text, struct error *error) MUST_CHECK;

#endif
