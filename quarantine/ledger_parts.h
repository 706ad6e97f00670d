/* The ledger's inside, for the files that share its work: ledger.c (stopping mail),
 * ledger_pending.c (what the store was away for), ledger_move.c (what becomes of a hold)
 * and ledger_read.c (looking, forgetting). */
#ifndef QUARANTINE_LEDGER_PARTS_H
#define QUARANTINE_LEDGER_PARTS_H

#include <stdatomic.h>

#include "quarantine/ledger.h"
#include "quarantine/look.h"
#include "quarantine/parties.h"
#include "quarantine/pending_counts.h"
#include "quarantine/pending_holds.h"
#include "quarantine/record.h"

enum { LEDGER_HOST_MAX = 100, LEDGER_ENTRIES_MAX = 3 };

struct ledger {
    struct store *store;
    struct digest_key key;
    char host[LEDGER_HOST_MAX];
    struct pending_counts *counts;
    struct pending_holds *pending_holds;
    struct parties *parties;
    struct look *look;
    atomic_bool has_room;
    atomic_size_t held;  /* in the store, when last measured */
    atomic_size_t added; /* by this process since */
    atomic_bool unrecorded;
};

/* A document as it was read. Zero-initialise. */
struct ledger_document {
    enum collection collection;
    char id[DOCUMENTS_ID_MAX + 1];
    char *text;     /* NULL: there is none */
    json_t *record; /* NULL: there is none, or it is damaged */
};

/* Reads one. One that is not there is OK without text. */
enum status ledger_read(struct ledger *ledger, enum collection collection, const char *id,
                        int64_t deadline_us, struct ledger_document *out) MUST_CHECK;
void ledger_document_clear(struct ledger_document *document);

/* An incident by its own id, open or over; NOT_FOUND. */
enum status ledger_read_incident(struct ledger *ledger, const char *id,
                                 int64_t deadline_us,
                                 struct ledger_document *out) MUST_CHECK;

/* A hold by its id, held or ended; NOT_FOUND. */
enum status ledger_read_hold(struct ledger *ledger, const char *id, int64_t deadline_us,
                             struct ledger_document *out) MUST_CHECK;

/* A change of several documents in the making; owns what it points to. Zero-initialise.
 */
struct ledger_entries {
    struct change changes[LEDGER_ENTRIES_MAX];
    size_t count;
    char *owned[LEDGER_ENTRIES_MAX];
};

/* Adds a document. record NULL is out of memory; expected NULL: it must not be there. */
enum status ledger_entries_add(struct ledger_entries *entries, enum collection collection,
                               const char *id, const char *expected,
                               const json_t *record) MUST_CHECK;

/* The incident in open, if any, is over: it goes to the others under its own id. */
enum status ledger_entries_close(struct ledger_entries *entries,
                                 const struct ledger_document *open) MUST_CHECK;
void ledger_entries_clear(struct ledger_entries *entries);

/* Records the pending holds, until one can't be. LIMIT when there was no room for
 * some; those are given up. */
enum status ledger_flush_pending(struct ledger *ledger, int64_t deadline_us) MUST_CHECK;

#endif
