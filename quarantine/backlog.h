/* Holds of the time in which the store is away: the incidents that they belong to, and
 * their records, which wait to be written. */
#ifndef QUARANTINE_BACKLOG_H
#define QUARANTINE_BACKLOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "quarantine/parties.h"
#include "quarantine/pending_counts.h"

struct backlog;

enum {
    BACKLOG_INCIDENTS_MAX =
        1024,                 /* then the one that is quiet for longest is forgotten */
    BACKLOG_PARTIES_MAX = 8,  /* of an incident; then the one with least is forgotten */
    BACKLOG_HOLDS_MAX = 1000, /* beside the first of each incident */
};

/* A hold that the store has not taken yet. Owns what it points to. */
struct late {
    char
        open_id[PENDING_COUNTS_ID_SIZE]; /* where its incident is as long as it is open */
    char id[DIGEST_ID_SIZE];
    char incident[DIGEST_ID_SIZE];
    json_t *hold;  /* the record */
    json_t *alone; /* the incident as it would be with this hold alone */
    struct late *next;
};

void late_free(struct late *late);

/* NULL without memory. Safe from many threads; never waits. */
struct backlog *backlog_new(void);
void backlog_free(struct backlog *backlog);

/* What the store says of a key's incident: how many of it wait, in all and of a party. */
struct backlog_news {
    const char *incident, *party;
    int64_t waiting, own, now_ms;
};
void backlog_learn(struct backlog *backlog, const char *open_id,
                   const struct backlog_news *news);

/* A hold of that incident and party is over; the incident is. */
void backlog_release(struct backlog *backlog, const char *incident, const char *party);
void backlog_close(struct backlog *backlog, const char *incident);

/* Takes a place for one more hold in the key's incident: the one that is known, if its
 * last hold is less than INCIDENT_GAP_MS ago; else the one that incident holds, or a new
 * one if that is "". Only what fits takes one. Writes the incident's id either way. */
struct backlog_request {
    const char *open_id, *party;
    struct party_caps caps;
    int64_t now_ms;
};
enum party_fit backlog_enter(struct backlog *backlog,
                             const struct backlog_request *request,
                             char incident[DIGEST_ID_SIZE]);

/* Keeps a hold's record until the store takes it. False when there is no room: then it
 * was freed, and only the queue knows of the hold. */
bool backlog_add(struct backlog *backlog, struct late *late);

bool backlog_is_pending(struct backlog *backlog);

/* The oldest, for the caller to free or to put back; NULL when there is none. */
struct late *backlog_take(struct backlog *backlog);
void backlog_return(struct backlog *backlog, struct late *late);

#endif
