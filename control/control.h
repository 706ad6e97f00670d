/* The control API: HTTP and JSON on a unix socket, in threads of its own, so that it
 * never delays mail. See doc/control-api.md. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/counters.h"
#include "base/problems.h"
#include "control/audit.h"
#include "lists/current_snapshot.h"
#include "lists/jumps.h"
#include "quarantine/actions.h"
#include "quarantine/active_brakes.h"
#include "quarantine/ledger.h"
#include "store/conversations.h"
#include "store/store.h"

enum {
    CONTROL_CONNECTIONS_MAX = 64,
    CONTROL_STRANGERS_MAX = 8, /* of these, for peers without a role */
    CONTROL_TIMEOUT_S = 10,    /* of a peer that is silent */
    CONTROL_BODY_MAX = 64 * 1024,
    CONTROL_HEADER_MAX = 32 * 1024, /* memory of a connection */
    CONTROL_LOOKS_MAX = 8,          /* requests at work at a time that change nothing, */
    CONTROL_CHANGES_MAX = 4,        /* that do, for as long as it takes, */
    CONTROL_STRANGERS_WORK_MAX = 1, /* and of peers without a role */
};

struct orders;
struct traffic;

/* What requests are answered with. All borrowed, and alive until control_stop. */
struct control_context {
    struct current_snapshot *snapshots;
    struct store *store;
    struct ledger *ledger;
    struct active_brakes *active_brakes;
    struct actions *actions;
    struct audit *audit;
    struct counters *counters;
    struct conversations *conversations; /* NULL: explain has no earlier mail */
    struct traffic *traffic;
    struct orders *orders;              /* to other relays; NULL: there are none */
    const char *host;                   /* this relay's name in records */
    const struct digest_key *key;       /* of hashed addresses */
    const struct digest_key *token_key; /* of notices; NULL: explain recognizes none */
    /* Loads the configuration again and returns its problems; after an error the old one
     * stays. Called by one thread at a time. */
    enum status (*reload)(void *context, struct problems *problems);
    /* Why and when (wall time, ms) the last reload failed; nothing and 0 if it succeeded.
     */
    void (*reload_failure)(void *context, struct problems *out, int64_t *out_at_ms);
    /* Reads the lists again that the MTA has yet to expand: aliases(5). NULL: it can't.
     */
    void (*refresh)(void *context);
    /* Accepts the size of a list that jumped, or with NULL of all; see jumps_accept. */
    enum status (*accept_lists)(void *context, const char *address,
                                struct list_jumps *out);
    void *reload_context; /* of the four */
    int64_t started_us;   /* monotonic, when the daemon started */
};

struct control;

/* Listens at control.socket of the current settings, mode 0666, so that a peer
 * without a role gets an answer and an audit entry. A stale socket is replaced. CONFLICT
 * when another program listens there, IO when a system call fails, NOMEM. context is
 * copied. */
enum status control_start(const struct control_context *context,
                          struct control **out_control, struct error *error) MUST_CHECK;

/* Serves /metrics and /healthz to everybody who reaches place (control.metrics), too.
 * INVALID, or IO with the system's reason. Once. */
enum status control_serve_metrics(struct control *control, const char *place,
                                  struct error *error) MUST_CHECK;

/* Ends all connections and removes the socket; waits for running requests. NULL is
 * allowed. */
void control_stop(struct control *control);

#endif
