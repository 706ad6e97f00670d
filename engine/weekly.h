/* One mail a week with the report of it, to notify.to, by whichever relay is first. */
#ifndef ENGINE_WEEKLY_H
#define ENGINE_WEEKLY_H

#include "conf/settings.h"
#include "quarantine/ledger.h"

struct store;

/* All borrowed. */
struct weekly_args {
    struct ledger *ledger;
    struct store *store;
    const struct settings *settings;
    const struct digest_key *token_key; /* of notices */
    int64_t now_ms;                     /* wall time */
};

/* Sends it when notify.report asks for it and a week is over; the first one a week after
 * the first call. Waits for the store and the helper. What fails is tried again after a
 * while: better twice than never. */
enum status weekly_send(const struct weekly_args *args, struct error *error) MUST_CHECK;

#endif
