/* The one walk of a message: facts, plan, charge, judge. Live mail, explain, replay and
 * the tests all take it, each with a charger of its own. It reads no clock, and knows the
 * store by the charger alone. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "lists/snapshot.h"
#include "policy/judge.h"
#include "store/conversations.h"

/* A message, and what it is judged by. All borrowed. */
struct engine_input {
    const struct snapshot *snapshot;
    const struct envelope *envelope;
    const struct brakes *brakes;         /* NULL: none */
    struct conversations *conversations; /* asked for its thread; NULL: none are known */
    const struct digest_key *key; /* hashes a campaign's subject; NULL: a public one */
    const struct digest_key *token_key; /* of notices; NULL: no token is valid */
    int64_t now_ms;                     /* wall time */
    int minute_of_week;                 /* local time */
};

/* Asks for the buckets and windows of a plan that has some: one outcome for each charge,
 * and who answered. The statuses are those of store_charge. */
struct charger {
    enum status (*charge)(void *context, const struct plan *plan, int64_t now_ms,
                          struct charge_outcome *out_outcomes,
                          enum charge_source *out_source);
    void *context;
};

/* Borrows from the input; its parts point at each other, so it stays where it is. */
struct judgement {
    struct facts facts;
    struct view view;
    struct plan plan; /* empty when the verdict needed none */
    struct verdict verdict;
    enum charge_source source; /* who answered */
    enum status status;        /* of what failed: NOMEM, LIMIT, UNAVAILABLE */
    const char *failure; /* why the rules could not judge, static; NULL: they could */
};

/* Always judges: what can't be understood, or charged, gets the configured action.
 * charger NULL: every bucket is full, and nobody is asked. */
void engine_judge(const struct engine_input *input, const struct charger *charger,
                  struct judgement *out);
void judgement_clear(struct judgement *judgement);

/* In monitor mode everything passes, but for what a brake stops. */
bool judgement_only_watches(const struct judgement *judgement);

/* The verdict that is reported to the MTA: accept where judgement_only_watches. */
struct verdict judgement_reported(const struct judgement *judgement);

/* For an envelope that comes with all its header fields, as no session's does: counts
 * those of Mailbrake, and finds the token. */
void engine_find_own_headers(struct envelope *envelope);

#endif
