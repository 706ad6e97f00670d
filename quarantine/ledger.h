/* Holds and incidents: what was stopped, kept in the store as JSON documents. What one
 * rule stops for one key, less than an hour apart, is one incident. */
#ifndef QUARANTINE_LEDGER_H
#define QUARANTINE_LEDGER_H

#include <jansson.h>

#include "base/digest.h"
#include "conf/settings.h"
#include "quarantine/event.h"
#include "store/documents.h"

struct ledger;
struct look;

enum hold_result {
    HOLD_KEPT,          /* recorded: hold it under id and incident */
    HOLD_UNRECORDED,    /* the store did not answer: hold it all the same, under id and an
                           incident of this process's own. ledger_flush records it later */
    HOLD_INCIDENT_FULL, /* its party is past max_per_incident: refuse it, naming the
                           incident. It is counted as refused already */
    /* The others are to be deferred, and are counted so already. */
    HOLD_QUEUE_FULL,   /* past max_messages, or too little room */
    HOLD_SHARE_FULL,   /* its identity or client has its part of max_messages */
    HOLD_CROWDED,      /* others have filled the incident, and it proves no identity */
    HOLD_FULL_PERHAPS, /* something is full as far as is known, but the queue could not be
                          looked at in time, or others' queues have a part of it */
};

struct hold {
    enum hold_result result;
    char id[DIGEST_ID_SIZE];
    char incident[DIGEST_ID_SIZE]; /* "-" when there is none */
    char tell[DIGEST_ID_SIZE];     /* for its hold header */
};

/* A message on hold that may have no record. Strings borrowed. */
struct orphan {
    const char *header; /* the value of its X-Mailbrake field */
    const char *queue_id;
    const char *sender; /* canonical, as events have it */
    int64_t arrived_ms;
    int64_t listed_ms; /* when the queue was looked at */
    bool recalled;     /* it bears no hold header: this is the one that it would have, and
                        sender is as the queue has it */
};

/* host: this relay's name, copied. key hashes subjects. store is borrowed. NULL without
 * memory. Safe from any thread. */
struct ledger *ledger_new(struct store *store, const struct digest_key *key,
                          const char *host);
void ledger_free(struct ledger *ledger);

/* Records a message that is about to be held; at most until deadline_us (monotonic).
 * Where something is full it waits for a look at the queue first (ledger_look), for a
 * part of that time. If the look does not end in time, local mail is held. */
void ledger_hold(struct ledger *ledger, const struct settings *settings,
                 const struct event *event, int64_t deadline_us, struct hold *out);

/* True when something was HOLD_UNRECORDED since the last call, or a ledger_move was not
 * answered. The store was away and may have lost records, only the queue knows the holds
 * past PENDING_HOLDS_MAX, and a record may say "releasing" for ever. */
bool ledger_take_unrecorded(struct ledger *ledger);

/* True when mail was held since the last call that its sender can let go: his letter is
 * urgent. */
bool ledger_take_asking(struct ledger *ledger);

/* Counts a refused or deferred message in this process; never waits. The incident's id is
 * written once ledger_flush has given it one, else "". */
void ledger_count(struct ledger *ledger, const struct event *event,
                  char out_incident[DIGEST_ID_SIZE]);

/* ---- not on the mail path; deadline_us as long as the caller likes ---- */

/* Records what was HOLD_UNRECORDED, and adds what ledger_count has gathered to the
 * incidents. Once a second, and before the queue is compared with the records. */
enum status ledger_flush(struct ledger *ledger, int64_t deadline_us) MUST_CHECK;

/* Tells the ledger whether the queue's file system has room (min_free), and counts the
 * holds again. Once a second. */
enum status ledger_measure(struct ledger *ledger, bool has_room,
                           int64_t deadline_us) MUST_CHECK;

/* Counts the holds again, and whose they are. At the start, now and then, and whenever
 * records were compared with the queue. */
enum status ledger_recount(struct ledger *ledger, int64_t deadline_us) MUST_CHECK;

/* For the thread that looks at the queue when something is full. Borrowed. */
struct look *ledger_look(struct ledger *ledger);

/* The key that it hashes with. Borrowed. */
const struct digest_key *ledger_key(const struct ledger *ledger);

/* How many holds this process has recorded some time after they were held: the store was
 * away, or had lost them. */
size_t ledger_late(struct ledger *ledger);

/* Records as JSON; the caller owns them. Fields *_at are ISO 8601 in UTC, the rest is as
 * in doc/control-api.md. An incident is open within INCIDENT_GAP_MS of its last message.
 * ledger_list.h has all of them. */
enum status ledger_find_hold(struct ledger *ledger, const char *id, int64_t deadline_us,
                             json_t **out) MUST_CHECK;
/* As ledger_find_hold, many, in few calls; out has count of them, NULL where there is
 * none.
 */
enum status ledger_find_holds(struct ledger *ledger, const char *const *ids, size_t count,
                              int64_t deadline_us, json_t **out) MUST_CHECK;
enum status ledger_find_incident(struct ledger *ledger, const char *id,
                                 int64_t deadline_us, json_t **out) MUST_CHECK;

/* Moves a hold from one state to another: "held", "releasing", "released", "refusing",
 * "refused", "deleting", "deleted", "gone". CONFLICT when it is in another state by now:
 * so a double release is one. A release adds to the incident's "released". */
enum status ledger_move(struct ledger *ledger, const char *id, const char *from,
                        const char *to, int64_t deadline_us) MUST_CHECK;

/* The same of many, in few calls of the store; out has count of them. */
enum { LEDGER_MOVE_MAX = 100 }; /* at one instant */
void ledger_move_many(struct ledger *ledger, const char *const *ids, size_t count,
                      const char *from, const char *to, int64_t deadline_us,
                      enum status *out);

/* Records a hold that only the queue knows (quarantine sync). INVALID when the header is
 * not ours. One that is recorded as over, or under another queue id, becomes this
 * message, held; but not when it was released, refused or deleted since the queue was
 * listed. */
enum status ledger_restore(struct ledger *ledger, const struct orphan *orphan,
                           int64_t deadline_us) MUST_CHECK;

/* A released message went out after all: its copies are counted in the windows of the
 * surges that it matched. Those whose rule is gone are skipped. */
enum status ledger_train(struct ledger *ledger, const struct policy *policy,
                         const json_t *hold, int64_t deadline_us) MUST_CHECK;

/* Closes an incident: what comes next opens another one. NOT_FOUND. */
enum status ledger_close_incident(struct ledger *ledger, const char *id,
                                  int64_t deadline_us) MUST_CHECK;

/* Forgets what has been over for longer than retention_ms, and the oldest incidents past
 * INCIDENTS_MAX, but none that still holds a message. Once a minute. LIMIT when the
 * deadline comes first: the next call goes on. *out_done records were closed or forgotten
 * in any case. */
enum { INCIDENTS_MAX = 100000 };
enum status ledger_prune(struct ledger *ledger, int64_t now_ms, int64_t retention_ms,
                         int64_t deadline_us, size_t *out_done) MUST_CHECK;

/* Moves the records that older versions left to where they are now. At the start, before
 * the queue is compared with them, and once a minute. LIMIT as above. */
enum status ledger_convert(struct ledger *ledger, int64_t deadline_us) MUST_CHECK;

#endif
