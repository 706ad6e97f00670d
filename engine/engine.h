/* How a message is judged: facts, plan, charge, verdict. Live mail, explain, replay and
 * the tests call the same function, each with a charger of its own. It reads no clock and
 * reaches the store only through the charger. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "lists/snapshot.h"
#include "policy/judge.h"
#include "store/conversations.h"

/* A message, and what it is judged by. All pointers are borrowed. */
struct engine_input {
    const struct snapshot *snapshot;
    const struct envelope *envelope;
    const struct brakes *brakes;         /* NULL: none */
    struct conversations *conversations; /* knows earlier threads; NULL: none */
    const struct digest_key *key; /* hashes the words of a Subject; NULL: a public one */
    const struct digest_key *token_key; /* of notices; NULL: no token is valid */
    int64_t now_ms;                     /* wall time */
    int minute_of_week;                 /* local time */
};

/* Charges a plan that has charges: gives one outcome for each, and who answered. Returns
 * what store_charge does. */
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

/* Always judges: a message that can't be understood or charged gets the configured
 * action. charger NULL: every bucket counts as full. */
void engine_judge(const struct engine_input *input, const struct charger *charger,
                  struct judgement *out);
void judgement_clear(struct judgement *judgement);

/* True when monitor mode lets a message pass that the verdict stops: everything but what
 * a brake stops. */
bool judgement_only_monitors(const struct judgement *judgement);

/* The verdict that is reported to the MTA: accept where judgement_only_monitors. */
struct verdict judgement_reported(const struct judgement *judgement);

/* Remembers which thread a message belongs to, when it is let in or held: it can be
 * answered now, or once it is released. conversations may be NULL. */
void judgement_remember(const struct judgement *judgement,
                        struct conversations *conversations);

/* Sets hold_headers and token of an envelope that has all its header fields, as that of a
 * session has not. */
void engine_find_own_headers(struct envelope *envelope);

#endif
