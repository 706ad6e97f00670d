/* What an answer lets go: what is held of its sender in the incident, on whatever relay,
 * and what speaks against it. */
#ifndef DAEMON_CONFIRMED_H
#define DAEMON_CONFIRMED_H

#include <jansson.h>

#include "engine/decide.h"
#include "quarantine/actions.h"

/* The first four are borrowed. */
struct confirmed {
    struct engine *engine;
    struct actions *actions;
    const char *host;
    const char *id;            /* of its record (quarantine/confirm.h) */
    json_t *record, *incident; /* as the store has them */
    json_t *holds;             /* all that wait, as the ledger shows them */
    json_t *ids;               /* of those that this relay holds */
    int64_t copies;            /* of all */
};

/* Why it is not let go: for administrators, and as the end of a sentence for the sender.
 */
struct obstacle {
    char why[300];
    char plain[200];
    bool over; /* nothing of it waits */
};

/* Fills in the incident and what is held. What came after "prepared_at" is not part of
 * it. NOT_FOUND: the incident is gone. UNAVAILABLE, NOMEM. */
enum status confirmed_find(struct confirmed *confirmed) MUST_CHECK;
void confirmed_clear(struct confirmed *confirmed);

/* CONFLICT, with the obstacle, when nothing of it is held any more, an administrator has
 * braked any of it since, or together it reaches more people than one sender may let go.
 * UNAVAILABLE: helper or store do not answer. NOMEM. */
enum status confirmed_check(const struct confirmed *confirmed,
                            const struct snapshot *snapshot,
                            struct obstacle *out) MUST_CHECK;

/* Only whether an administrator has braked any of it since: OK, CONFLICT, NOMEM. */
enum status confirmed_check_brakes(const struct confirmed *confirmed,
                                   const struct snapshot *snapshot,
                                   struct obstacle *out) MUST_CHECK;

#endif
