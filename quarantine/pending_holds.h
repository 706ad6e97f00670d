/* Holds of the time in which the store is away: the incidents that they belong to, and
 * their records, which wait to be written. */
#ifndef QUARANTINE_PENDING_HOLDS_H
#define QUARANTINE_PENDING_HOLDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "quarantine/parties.h"
#include "quarantine/pending_counts.h"

struct pending_holds;

enum {
    PENDING_HOLDS_INCIDENTS_MAX =
        1024, /* then the one that is quiet for longest is forgotten */
    PENDING_HOLDS_PARTIES_MAX =
        8,                    /* of an incident; then the one with least is forgotten */
    PENDING_HOLDS_MAX = 1000, /* beside the first of each incident */
};

/* A hold that the store has not taken yet. Owns what it points to. */
struct pending_hold {
    char open_key[PENDING_COUNTS_ID_SIZE]; /* where its incident is as long as it is open
                                            */
    char id[DIGEST_ID_SIZE];
    char incident[DIGEST_ID_SIZE];
    json_t *hold;  /* the record */
    json_t *alone; /* the incident as it would be with this hold alone */
    struct pending_hold *next;
};

void pending_hold_free(struct pending_hold *pending);

/* NULL without memory. Safe from many threads; never waits. */
struct pending_holds *pending_holds_new(void);
void pending_holds_free(struct pending_holds *holds);

/* What the store says of a key's incident: how many of it wait, in all and of a party. */
struct pending_holds_news {
    const char *incident, *party;
    int64_t waiting, own, now_ms;
};
void pending_holds_learn(struct pending_holds *holds, const char *open_key,
                         const struct pending_holds_news *news);

/* A hold of that incident and party is over; the incident is. */
void pending_holds_release(struct pending_holds *holds, const char *incident,
                           const char *party);
void pending_holds_close(struct pending_holds *holds, const char *incident);

/* Takes a place for one more hold in the key's incident: the one that is known, if its
 * last hold is less than INCIDENT_GAP_MS ago; else the one that incident holds, or a new
 * one if that is "". Only what fits takes one. Writes the incident's id either way. */
struct pending_holds_request {
    const char *open_key, *party;
    struct party_caps caps;
    int64_t now_ms;
};
enum party_fit pending_holds_enter(struct pending_holds *holds,
                                   const struct pending_holds_request *request,
                                   char incident[DIGEST_ID_SIZE]);

/* Keeps a hold's record until the store takes it. False when there is no room: then it
 * was freed, and only the queue knows of the hold. */
bool pending_holds_add(struct pending_holds *holds, struct pending_hold *pending);

/* The oldest, for the caller to free or to put back; NULL when there is none. */
struct pending_hold *pending_holds_take(struct pending_holds *holds);
void pending_holds_return(struct pending_holds *holds, struct pending_hold *pending);

#endif
