/* One message, one decision: facts, plan, charge, judge, under one deadline. */
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

/* What decisions are made with; lives as long as the process. */
struct engine {
    struct current_snapshot snapshots;
    struct store *store;
    struct ledger *ledger;
    struct active_brakes *active_brakes;
    struct counters *counters;
    struct conversations *conversations; /* NULL: answers join nothing */
    struct digest_key key;               /* hashes addresses for store and log */
    /* Seals notices. Not the key above: that may come from store.prefix, which is no
     * secret. Each process has its own, since it judges the notices that it sends. */
    struct digest_key token_key;
    int timeout_ms; /* of the store, as it was opened */
    enum on_failure on_failure;
};

enum { DECISION_RULE_SIZE = 80, DECISION_WOULD_SIZE = 400 };

/* What comes with a message beside its envelope. */
struct message_context {
    const char *failure;  /* why it could not be collected; NULL: it could */
    const char *queue_id; /* NULL when it is not known */
    const char *token;    /* the value of its X-Mailbrake-Notice; NULL for none */
    int hold_headers;     /* its X-Mailbrake fields */
    int minute_of_week;   /* local time */
    int64_t now_ms;       /* wall time */
};

/* What becomes of a message, in copies: no snapshot is pinned by it. */
struct decision {
    enum action action; /* what the MTA is told: accept in monitor mode */
    struct reply reply;
    const char *verdict; /* static: accept, reject, defer, quarantine, tempfail */
    char rule[DECISION_RULE_SIZE];   /* what decided; "-" for none */
    char would[DECISION_WOULD_SIZE]; /* "RULE:ACTION,..." of what only monitors; "" */
    char identity[SUBJECT_SIZE]; /* for the log: hashed if privacy.addresses says so */
    char client[CLIENT_KEY_SIZE];
    bool hashed;
    char hold[DIGEST_ID_SIZE];     /* the id of its hold record; "" for none */
    char incident[DIGEST_ID_SIZE]; /* "" or "-" for none */
    char tell[DIGEST_ID_SIZE];     /* of its hold header */
    int64_t reach;
    bool keep_hold_headers; /* leave X-Mailbrake fields that came in */
    enum charge_source source;
    const char *failure; /* why we could not decide, static; NULL: we could */
};

/* Takes at most the store's timeout_ms and a little. Always decides. */
void decide_message(struct engine *engine, const struct envelope *envelope,
                    const struct message_context *context, struct decision *out);

#endif
