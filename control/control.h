/* The control API: HTTP and JSON on a unix socket, in threads of its own, never in the
 * way of mail. See doc/control-api.md. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/counters.h"
#include "base/problems.h"
#include "control/audit.h"
#include "lists/current_snapshot.h"
#include "quarantine/actions.h"
#include "quarantine/active_brakes.h"
#include "quarantine/ledger.h"
#include "store/conversations.h"
#include "store/store.h"

enum {
    CONTROL_CONNECTIONS_MAX = 64,
    CONTROL_STRANGERS_MAX = 8, /* of these, of peers without rights */
    CONTROL_TIMEOUT_S = 10,    /* of a peer that is silent */
    CONTROL_BODY_MAX = 64 * 1024,
    CONTROL_HEADER_MAX = 32 * 1024, /* memory of a connection */
    CONTROL_WORK_MAX = 4,           /* requests that are worked on at once */
};

/* What requests are answered with. All borrowed, and alive until control_stop. */
struct control_context {
    struct current_snapshot *snapshots;
    struct store *store;
    struct ledger *ledger;
    struct active_brakes *active_brakes;
    struct actions *actions;
    struct audit *audit;
    struct counters *counters;
    struct conversations *conversations; /* NULL: explain knows of no earlier mail */
    const char *host;                    /* this relay's name, as the ledger has it */
    const struct digest_key *key;        /* of hashed addresses */
    const struct digest_key *token_key;  /* of notices; NULL: explain knows none */
    /* Loads the configuration anew and answers with its problems; the old one stays when
     * there is an error. Called by one thread at a time. */
    enum status (*reload)(void *context, struct problems *problems);
    /* Why the last reload failed, with wall time; nothing and 0 when it did not. */
    void (*reload_failure)(void *context, struct problems *out, int64_t *out_at_ms);
    void *reload_context;
    int64_t started_us; /* monotonic, when the daemon started */
};

struct control;

/* Listens at control.socket of the current settings, mode 0666: a peer without rights is
 * to hear that, and to be written down. A stale socket there is replaced; CONFLICT when
 * somebody listens, IO when the system says no, NOMEM. context is copied. */
enum status control_start(const struct control_context *context,
                          struct control **out_control, struct error *error) MUST_CHECK;

/* Ends all connections and removes the socket; waits for requests at work. NULL is
 * allowed. */
void control_stop(struct control *control);

#endif
