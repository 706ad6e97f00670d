/* Live mail: a message is judged under one deadline, and what is stopped is recorded. */
#ifndef ENGINE_DECIDE_H
#define ENGINE_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counters.h"
#include "base/digest.h"
#include "lists/current_snapshot.h"
#include "policy/reply.h"
#include "quarantine/active_brakes.h"
#include "quarantine/ledger.h"
#include "store/conversations.h"
#include "store/store.h"

struct answers;
struct traffic;

/* What decisions are made with; lives as long as the process. */
struct engine {
    struct current_snapshot snapshots;
    struct store *store;
    struct ledger *ledger;
    struct active_brakes *active_brakes;
    struct counters *counters;
    struct conversations *conversations; /* NULL: answers join nothing */
    struct traffic *traffic;             /* NULL: nothing is counted */
    struct answers *answers;             /* NULL: none counts */
    struct digest_key key;               /* hashes addresses for store and log */
    /* Makes the tokens of notices. Not the key above: that may come from store.prefix,
     * which is no secret. Each process has its own, since it judges the notices that it
     * sends. */
    struct digest_key token_key;
    int timeout_ms; /* of the store, as it was opened */
};

enum { DECISION_RULE_SIZE = 80, DECISION_WOULD_SIZE = 400 };

/* What becomes of a message. All copies: it needs no snapshot. */
struct decision {
    enum action action; /* what the MTA is told: accept in monitor mode */
    struct reply reply;
    const char *verdict; /* static: accept, reject, defer, quarantine, tempfail */
    char rule[DECISION_RULE_SIZE];   /* what decided; "-" for none */
    char would[DECISION_WOULD_SIZE]; /* "RULE:ACTION,..." of what only monitors; "" */
    char permit[DIGEST_ID_SIZE];     /* that lets it pass; "" for none */
    char identity[SUBJECT_SIZE]; /* for the log: hashed if privacy.addresses says so */
    char client[NETWORK_CLIENT_KEY_SIZE];
    bool hashed;
    char hold[DIGEST_ID_SIZE];     /* the id of its hold record; "" for none */
    char incident[DIGEST_ID_SIZE]; /* "" or "-" for none */
    char tell[DIGEST_ID_SIZE];     /* of its hold header */
    int64_t reach;
    bool keep_hold_headers; /* leave the X-Mailbrake fields it came with */
    enum charge_source source;
    const char *failure; /* why we could not decide, static; NULL: we could */
};

/* At now_ms of wall time, a minute of the local week. Takes at most the store's
 * timeout_ms and a little. Always decides. */
void decide_message(struct engine *engine, const struct envelope *envelope,
                    int64_t now_ms, int minute_of_week, struct decision *out);

#endif
