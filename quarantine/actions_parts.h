/* The inside of actions, for the files that share its work: actions_decide.c (held
 * messages), actions_queue.c (the whole queue) and actions_pull.c (what was accepted
 * before). */
#ifndef QUARANTINE_ACTIONS_PARTS_H
#define QUARANTINE_ACTIONS_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/queue_id.h"
#include "quarantine/actions.h"
#include "store/scan.h"

enum {
    ACTIONS_HELPER_MS = 30000, /* one batch of orders */
    ACTIONS_STORE_MS = 5000,   /* one call of the ledger */
    ACTIONS_READ_MS = 60000,   /* all of this relay's records */
    ACTIONS_SYNC_MS = 600000,  /* a whole sync */
    ACTIONS_CHECK_SIZE = 1100,
};

struct actions {
    struct ledger *ledger;
    struct digest_key token_key;
    char *host;
    pthread_mutex_t deciding; /* from a record's "releasing" to what follows it; and the
                                 file of recalled messages */
    _Atomic enum actions_names names;
    char sync_from[QUEUE_ID_MAX + 1]; /* where a sync goes on; "": at the beginning */
    struct scan expire;               /* and actions_expire; not under the lock */
};

void actions_tell(const struct actions_progress *progress, size_t done, size_t total);

/* What is wrong with deciding about a hold here and now; OK when nothing is. */
enum status actions_check(const struct actions *actions, const json_t *hold,
                          struct error *error) MUST_CHECK;

/* The same, into the result of what the verb was to do. */
void actions_check_result(const struct actions *actions, enum actions_verb verb,
                          const json_t *hold, struct actions_result *result);

/* What the helper checks a hold's message by. */
void actions_make_check(const json_t *hold, char out[ACTIONS_CHECK_SIZE]);

enum status actions_say_store(struct error *error, enum status status);

/* The states of a hold that is decided about, by the verb. */
struct actions_states {
    const char *verb, *during, *after;
};
extern const struct actions_states actions_states[];

/* "released" for "releasing" and so on; NULL for any other state. */
const char *actions_state_after(const char *during);

/* It was accepted first and pulled back by a brake: its message bears no hold header.
 */
bool actions_is_recalled(const json_t *hold);

#endif
