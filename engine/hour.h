/* All mail of the last hour, by the minute: of a relay, and of several together. A relay
 * writes its own down every few seconds, where the others find it. */
#ifndef ENGINE_HOUR_H
#define ENGINE_HOUR_H

#include <jansson.h>

#include "store/documents.h"

enum { HOUR_MINUTES = 60, HOUR_MINUTE_MS = 60000 };

/* All mail of one minute. */
struct minute {
    int64_t minute; /* since 1970 */
    int64_t messages, copies, stopped, stopped_copies;
};

/* Zero-initialise. Each minute is at its number modulo HOUR_MINUTES. */
struct hour {
    struct minute minutes[HOUR_MINUTES];
};

/* Counts what came in that minute; a minute of an hour before counts no more. */
void hour_add(struct hour *hour, const struct minute *more);

/* Each minute of the hour, the oldest first: [{"at", "messages", "copies", "stopped",
 * "stopped_copies"}]. NULL without memory. */
json_t *hour_show(const struct hour *hour, int64_t now_ms);

/* ---- in the store, under a relay's name ---- */

enum status hour_write(const struct hour *hour, struct store *store, const char *host,
                       int64_t deadline_us) MUST_CHECK;

/* Adds what a relay has written down; nothing when it has written nothing. */
enum status hour_read(struct hour *hour, struct store *store, const char *host,
                      int64_t deadline_us) MUST_CHECK;

/* Whether a document of the collection is an hour that ended before that time. */
bool hour_is_before(const char *id, const char *value, int64_t before_ms);

#endif
