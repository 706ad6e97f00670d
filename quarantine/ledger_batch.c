/* All groups at once, and one by one when that fails for one of them. */
#include "quarantine/ledger_batch.h"

#include <stdlib.h>
#include <string.h>

static char *copy(const char *text, bool *failed)
{
    char *copied = text == NULL ? NULL : strdup(text);
    *failed = *failed || (text != NULL && copied == NULL);
    return copied;
}

void ledger_batch_clear(struct ledger_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        free((char *)(uintptr_t)batch->changes[i].id);
        free((char *)(uintptr_t)batch->changes[i].expected);
        free((char *)(uintptr_t)batch->changes[i].value);
    }
    batch->count = batch->groups = 0;
}

enum status ledger_batch_write(struct ledger_batch *batch)
{
    struct store *store = batch->ledger->store;
    enum status status =
        store_change(store, batch->changes, batch->count, batch->deadline_us);
    size_t start = 0;
    if (status == STATUS_OK)
        batch->done += batch->groups;
    bool apart = status == STATUS_CONFLICT || status == STATUS_LIMIT;
    for (size_t i = 0; i < batch->groups && apart; i++) {
        status = store_change(store, batch->changes + start, batch->ends[i] - start,
                              batch->deadline_us);
        start = batch->ends[i];
        batch->done += status == STATUS_OK;
        apart =
            status == STATUS_OK || status == STATUS_CONFLICT || status == STATUS_LIMIT;
        if (apart)
            status = STATUS_OK;
    }
    ledger_batch_clear(batch);
    return status;
}

enum status ledger_batch_add(struct ledger_batch *batch, const struct change *changes,
                             size_t count)
{
    bool failed = false;
    enum status status = STATUS_OK;
    if (batch->count + count > DOCUMENTS_CHANGES_MAX)
        status = ledger_batch_write(batch);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct change change = changes[i];
        change.id = copy(change.id, &failed);
        change.expected = copy(change.expected, &failed);
        change.value = copy(change.value, &failed);
        batch->changes[batch->count++] = change;
    }
    if (status == STATUS_OK && failed)
        return STATUS_NOMEM;
    if (status == STATUS_OK)
        batch->ends[batch->groups++] = batch->count;
    return status;
}
