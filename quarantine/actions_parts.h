/* The inside of actions, for the files that share the work: actions.c (one message),
 * actions_queue.c (the whole queue) and actions_pull.c (what was accepted before). */
#ifndef QUARANTINE_ACTIONS_PARTS_H
#define QUARANTINE_ACTIONS_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "policy/address.h"
#include "quarantine/actions.h"

enum { ACTIONS_HELPER_MS = 30000, ACTIONS_STORE_MS = 5000 };

struct actions {
    struct ledger *ledger;
    struct digest_key seal_key;
    char *host;
    pthread_mutex_t deciding; /* from a record's "releasing" to what follows it; and the
                                 file of pulled messages */
    _Atomic enum actions_names names;
};

/* A hold, and what the helper must find in its message. */
struct actions_target {
    const json_t *hold;
    const char *check;
};

/* From now on, for one call of the ledger. */
int64_t actions_deadline_us(void);

/* "released" for "releasing" and so on; NULL for a state that is none of these. */
const char *actions_state_after(const char *during);

/* It was accepted first and pulled back by a brake: its message bears no mark. */
bool actions_is_pulled(const json_t *hold);

/* As facts have a sender: canonical, and ours without its tag. False when it is none. */
bool actions_canonical(const struct settings *settings, const char *queued,
                       struct address *out);

#endif
