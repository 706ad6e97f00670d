/* What was refused or deferred, counted in this process until it is written down: a flood
 * costs the mail path a table's look-up, and the store one change a second for each key.
 */
#ifndef QUARANTINE_PENDING_COUNTS_H
#define QUARANTINE_PENDING_COUNTS_H

#include "base/digest.h"
#include "quarantine/event.h"
#include "quarantine/record.h"

struct pending_counts;

enum {
    PENDING_COUNTS_MAX =
        4096, /* keys; what finds none free goes to its rule's PENDING_COUNTS_MANY */
    PENDING_COUNTS_MANY_MAX = 256,    /* entries kept for those */
    PENDING_COUNTS_ID_SIZE = 257,     /* as a document's id */
    PENDING_COUNTS_ADDRESSED_MAX = 3, /* of what was addressed, by name */
};

#define PENDING_COUNTS_MANY "(many)"

/* What one key gathered. Owns its strings. */
struct pending_count {
    char open_key[PENDING_COUNTS_ID_SIZE];
    struct event event; /* as in struct stop; without sender, client and charges */
    int64_t refused, deferred, would, first_ms;
};

/* An event as part of its rule's PENDING_COUNTS_MANY. Strings are still the event's. */
struct event pending_counts_many(const struct event *event);

/* The id of an open incident's document: "<fingerprint>:<keyed hash of the subject>". The
 * incidents of what would have been stopped have a collection of their own. */
void pending_counts_format_id(const struct digest_key *key, const char *fingerprint,
                              const char *subject, char out_id[PENDING_COUNTS_ID_SIZE]);

/* key is copied. NULL without memory. Safe from many threads; never waits. */
struct pending_counts *pending_counts_new(const struct digest_key *key);
void pending_counts_free(struct pending_counts *counts);

/* Counts a message as refused, or else as deferred; or, when the event says so, as one
 * that would have been stopped. Writes the id of its incident, if
 * pending_counts_learn told one less than INCIDENT_GAP_MS ago; else "". */
void pending_counts_add(struct pending_counts *counts, const struct event *event,
                        bool refused, char out_incident[DIGEST_ID_SIZE]);

/* There is something to write down. */
bool pending_counts_is_pending(struct pending_counts *counts);

/* Takes out the next that has something to write down, from *position on, which begins at
 * 0; the caller clears it. False after the last. */
bool pending_counts_take(struct pending_counts *counts, size_t *position,
                         struct pending_count *out);
void pending_count_clear(struct pending_count *count);

/* Puts back what could not be written. */
void pending_counts_return(struct pending_counts *counts,
                           const struct pending_count *count);

/* The incident that a key's messages belong to. */
void pending_counts_learn(struct pending_counts *counts, const char *open_key, bool would,
                          const char *incident);

/* That incident was found to hold as many of that party as it may; and whether it was,
 * less than age_ms ago. For keys that something was counted of. */
void pending_counts_note_full(struct pending_counts *counts, const char *open_key,
                              const char *party, int64_t now_ms);
bool pending_counts_is_full(struct pending_counts *counts, const char *open_key,
                            const char *party, int64_t now_ms, int64_t age_ms,
                            char out_incident[DIGEST_ID_SIZE]);

#endif
