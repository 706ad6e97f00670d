/* How much each party has on hold, so that the flood of one can't take the room of all. A
 * party is an identity or a client; each message counts for one of each kind. */
#ifndef QUARANTINE_PARTIES_H
#define QUARANTINE_PARTIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

/* No party may have more than this part of quarantine.max_messages. */
enum { PARTIES_SHARE = 5 };

/* Keyed hashes; "" where it is not known. */
struct party {
    char identity[DIGEST_ID_SIZE];
    char client[DIGEST_ID_SIZE];
    char own[DIGEST_ID_SIZE]; /* whose doing the message is: the identity's if that is
                                 proven, else the client's */
};

/* proven: the identity is a login, or an own address from a trusted client. An unproven
 * identity never counts as the proven one. client: "" unknown. */
void party_make(const struct digest_key *key, const char *identity, const char *client,
                bool proven, struct party *out);

/* How one more message fits into an incident. */
enum party_fit {
    PARTY_FITS,
    PARTY_FULL,    /* the party has as many there as one may have */
    PARTY_CROWDED, /* others have: who proves no identity has to wait */
};

struct party_caps {
    int64_t own;   /* of one party in an incident */
    int64_t crowd; /* of all in an incident, where the identity is not proven */
    bool proven;
};

/* own, all: how many of the incident's messages wait, of the party and in all. */
enum party_fit party_fits(const struct party_caps *caps, int64_t own, int64_t all);

struct parties;

/* NULL without memory. Safe from many threads; never waits. */
struct parties *parties_new(void);
void parties_free(struct parties *parties);

/* Takes a place for a message of the party. False when its identity or its client has max
 * already. */
bool parties_take(struct parties *parties, const struct party *party, int64_t max);
void parties_give(struct parties *parties, const struct party *party);

/* The hold for which a place was taken is recorded: from now on it is one of those that
 * are counted. */
void parties_settle(struct parties *parties, const struct party *party);

/* A recorded hold is over. */
void parties_leave(struct parties *parties, const struct party *party);

/* How many of the party's own messages other relays held when they were last counted: we
 * can't look at those queues. */
int64_t parties_elsewhere(struct parties *parties, const struct party *party);

/* Counts again: between begin and end every hold is added (elsewhere: another relay has
 * it), while others take and give. By one thread at a time; without end nothing changes.
 */
void parties_begin(struct parties *parties);
void parties_add(struct parties *parties, const struct party *party, bool elsewhere);
void parties_end(struct parties *parties);

#endif
