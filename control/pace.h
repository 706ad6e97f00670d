/* An incident that is released slowly: so many messages in so much time, by one relay or
 * by all that hold some of it. Its state lies in the store: it goes on after a restart.
 */
#ifndef CONTROL_PACE_H
#define CONTROL_PACE_H

#include <jansson.h>
#include <sys/types.h>

#include "store/documents.h"

struct pace_rate {
    int64_t count; /* messages; 0: all at once */
    int64_t period_ms;
};

/* "60/m"; s, m, h and d. False for anything else. */
bool pace_parse(const char *text, struct pace_rate *out);

/* All borrowed. */
struct pace_start_args {
    const char *incident, *host; /* host "": several relays have messages of it */
    struct pace_rate rate;
    const char *by, *purpose; /* who released it, and what for */
    uid_t uid;
    size_t messages; /* how many there are to release */
    int64_t now_ms;  /* wall time */
};

/* Begins, or begins anew with what is left. deadlines: monotonic, in us; UNAVAILABLE and
 * NOMEM as in documents.h. */
enum status pace_start(struct store *store, const struct pace_start_args *args,
                       int64_t deadline_us) MUST_CHECK;

/* Ends it: what is not released yet stays held. NOT_FOUND. */
enum status pace_stop(struct store *store, const char *incident,
                      int64_t deadline_us) MUST_CHECK;

/* Stops it. It stays in the store, so that people see why it does not go on. */
enum status pace_fail(struct store *store, const char *incident, const char *why,
                      int64_t deadline_us) MUST_CHECK;

/* What a relay has seen of it. Another relay's clock may be wrong: after it took some,
 * the next are due from when that was seen here. */
struct pace_view {
    const char *host; /* this relay */
    int64_t last_at;  /* as the record had it */
    int64_t seen_ms;  /* wall time when that was first seen */
};

/* True when a message of it is due. */
bool pace_is_due(const json_t *pace, const struct pace_view *view, int64_t now_ms);

/* Takes as many as are due, most at most, and counts them as released. *out_due is 0 also
 * when somebody stopped it. */
enum status pace_claim(struct store *store, const char *incident,
                       const struct pace_view *view, size_t most, int64_t now_ms,
                       int64_t deadline_us, size_t *out_due) MUST_CHECK;

/* One of them as it is stored, for json_decref; NOT_FOUND. */
enum status pace_find(struct store *store, const char *incident, int64_t deadline_us,
                      json_t **out) MUST_CHECK;

/* All of them, an array. */
enum status pace_list(struct store *store, int64_t deadline_us, json_t **out) MUST_CHECK;

/* {"incident", "host", "pace": "60/m", "messages", "released", "by", "started_at",
 * "stopped": why, or null}; null of NULL. NULL without memory. */
json_t *pace_show(const json_t *pace);

#endif
