/* What was refused or deferred, counted in this process until it is written down: a flood
 * costs the mail path a table's look-up, and the store one change a second for each key.
 */
#ifndef QUARANTINE_TALLY_H
#define QUARANTINE_TALLY_H

#include "base/digest.h"
#include "quarantine/event.h"
#include "quarantine/record.h"

struct tally;

enum {
    TALLY_MAX = 4096,        /* keys; what finds no place goes to its rule's TALLY_MANY */
    TALLY_MANY_MAX = 256,    /* places kept for those */
    TALLY_ID_SIZE = 257,     /* as a document's id */
    TALLY_ADDRESSED_MAX = 3, /* of what was addressed, by name */
};

#define TALLY_MANY "(many)"

/* What one key gathered. Owns its strings. */
struct tally_count {
    char open_id[TALLY_ID_SIZE];
    char *rule, *fingerprint, *subject, *identity, *limit;
    char *lists[EVENT_LISTS_MAX], *addressed[TALLY_ADDRESSED_MAX];
    size_t lists_named, list_count, addressed_named, addressed_count;
    int64_t before; /* as in the first event */
    int64_t refused, deferred, reach, copies, first_ms, last_ms;
};

/* The id of an open incident's document: "<fingerprint>:<keyed hash of the subject>". */
void tally_format_id(const struct digest_key *key, const char *fingerprint,
                     const char *subject, char out_id[TALLY_ID_SIZE]);

/* key is copied. NULL without memory. Safe from many threads; never waits. */
struct tally *tally_new(const struct digest_key *key);
void tally_free(struct tally *tally);

/* Counts a message as refused, or else as deferred. Writes the id of its incident, if
 * tally_learn told one less than INCIDENT_GAP_MS ago; else "". */
void tally_add(struct tally *tally, const struct event *event, bool refused,
               char out_incident[DIGEST_ID_SIZE]);

/* There is something to write down. */
bool tally_is_pending(struct tally *tally);

/* Takes out the next that has something to write down, from *position on, which begins at
 * 0; the caller clears it. False after the last. */
bool tally_take(struct tally *tally, size_t *position, struct tally_count *out);
void tally_count_clear(struct tally_count *count);

/* Puts back what could not be written. */
void tally_return(struct tally *tally, const struct tally_count *count);

/* The incident that a key's messages belong to. */
void tally_learn(struct tally *tally, const char *open_id, const char *incident);

/* That incident was found to hold as many of that party as it may; and whether it was,
 * less than age_ms ago. For keys that something was counted of. */
void tally_note_full(struct tally *tally, const char *open_id, const char *party,
                     int64_t now_ms);
bool tally_is_full(struct tally *tally, const char *open_id, const char *party,
                   int64_t now_ms, int64_t age_ms, char out_incident[DIGEST_ID_SIZE]);

#endif
