/* The inside of actions, for the files that share the work: actions_decide.c (held
 * messages), actions_queue.c (the whole queue) and actions_pull.c (what was accepted
 * before). */
#ifndef QUARANTINE_ACTIONS_PARTS_H
#define QUARANTINE_ACTIONS_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "policy/address.h"
#include "quarantine/actions.h"

enum { ACTIONS_HELPER_MS = 30000, ACTIONS_STORE_MS = 5000 };

struct actions {
    struct ledger *ledger;
    struct digest_key token_key;
    char *host;
    pthread_mutex_t deciding; /* from a record's "releasing" to what follows it; and the
                                 file of recalled messages */
    _Atomic enum actions_names names;
};

/* From now on, for one call of the ledger. */
int64_t actions_deadline_us(void);

/* All holds, oldest first, those that are over only with all: an array of records that
 * have no more than says where their messages are, since there may be very many. */
enum status actions_read_holds(const struct actions *actions, bool all,
                               json_t **out) MUST_CHECK;

/* At most so long for one batch of orders. */
int64_t actions_helper_deadline_us(void);

void actions_tell(const struct actions_progress *progress, size_t done, size_t total);

/* What is wrong with deciding about a hold here and now; OK when nothing is. */
enum status actions_check(const struct actions *actions, const json_t *hold,
                          struct error *error) MUST_CHECK;

/* By its id; the error is for people. */
enum status actions_find(struct actions *actions, const char *id, json_t **out,
                         struct error *error) MUST_CHECK;
enum status actions_say_store(struct error *error, enum status status);

/* "released" for "releasing" and so on; NULL for a state that is none of these. */
const char *actions_state_after(const char *during);

/* It was accepted first and pulled back by a brake: its message bears no hold header.
 */
bool actions_is_recalled(const json_t *hold);

/* As facts have a sender: canonical, and ours without its tag. False when it is none. */
bool actions_canonical(const struct settings *settings, const char *queued,
                       struct address *out);

#endif
