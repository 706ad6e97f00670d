/* Many changes of records in few calls of the store, for what is done to all of them. */
#ifndef QUARANTINE_LEDGER_BATCH_H
#define QUARANTINE_LEDGER_BATCH_H

#include "quarantine/ledger_parts.h"

/* Zero-initialise but for the ledger; large for a stack. */
struct ledger_batch {
    struct ledger *ledger;
    int64_t deadline_us;
    struct change changes[DOCUMENTS_CHANGES_MAX];
    size_t count;
    size_t ends[DOCUMENTS_CHANGES_MAX]; /* of changes that belong together, how far */
    size_t groups;
    size_t done; /* groups that were written */
};

/* Adds changes that belong together. The texts are copied; NULL as in struct change.
 * Writes when there is no room for more. NOMEM, or as store_change. */
enum status ledger_batch_add(struct ledger_batch *batch, const struct change *changes,
                             size_t count) MUST_CHECK;

/* Writes what was added. Where something was changed meanwhile (CONFLICT), or finds no
 * room, that group is left out. */
enum status ledger_batch_write(struct ledger_batch *batch) MUST_CHECK;
void ledger_batch_clear(struct ledger_batch *batch);

#endif
