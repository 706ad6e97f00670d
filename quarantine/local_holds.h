/* The records of one relay that are not over, as little of each as says where its message
 * is: there may be very many. */
#ifndef QUARANTINE_LOCAL_HOLDS_H
#define QUARANTINE_LOCAL_HOLDS_H

#include "base/queue_id.h"
#include "quarantine/ledger.h"

enum { LOCAL_HOLDS_STATE_SIZE = 12 };

struct local_hold {
    char id[DIGEST_ID_SIZE];
    char queue_id[QUEUE_ID_MAX + 1];
    char state[LOCAL_HOLDS_STATE_SIZE]; /* "held", "releasing", "refusing", "deleting" */
    int64_t held_ms;
    bool recalled; /* a brake pulled it back: its message bears no hold header */
};

/* Zero-initialise. */
struct local_holds {
    struct local_hold *items; /* by id */
    size_t count;
};

/* Reads all of host's. UNAVAILABLE, NOMEM; LIMIT when the deadline comes first. */
enum status local_holds_read(struct ledger *ledger, const char *host, int64_t deadline_us,
                             struct local_holds *out) MUST_CHECK;

/* NULL when there is none. */
struct local_hold *local_holds_find(const struct local_holds *holds, const char *id);

/* The recalled one whose message has that queue id. */
struct local_hold *local_holds_find_recalled(const struct local_holds *holds,
                                             const char *queue_id);
void local_holds_clear(struct local_holds *holds);

#endif
