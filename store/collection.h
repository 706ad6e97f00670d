/* The named collections of documents. */
#ifndef STORE_COLLECTION_H
#define STORE_COLLECTION_H

#include <stdbool.h>
#include <stddef.h>

enum collection {
    COLLECTION_HOLDS,
    COLLECTION_INCIDENTS,
    COLLECTION_BRAKES,
    COLLECTION_ALLOWS,
    COLLECTION_PERMITS,       /* in force, or to come */
    COLLECTION_ENDED_PERMITS, /* used up, over or ended by hand */
    COLLECTION_META,
    COLLECTION_WOULD,          /* incidents of what would have been stopped */
    COLLECTION_TRAFFIC,        /* who sent most, by relay and day */
    COLLECTION_PACES,          /* incidents that are released slowly */
    COLLECTION_ORDERS,         /* from one relay to another (store/orders.h) */
    COLLECTION_CONFIRM_TOKENS, /* of letters whose answer lets go what is held */
    COLLECTION_CONFIRMED,      /* what was let go so */
    COLLECTION_STAMP,          /* one: see store_stamp */
    /* As versions before the index had them: read once and moved (ledger_upkeep.c). */
    COLLECTION_OLD_INCIDENTS,
    COLLECTION_OLD_OPEN,
    COLLECTION_OLD_ENDED,
    COLLECTION_OLD_HOLDS,
};

enum { COLLECTIONS = COLLECTION_OLD_HOLDS + 1 };

/* As in Redis' keys and in the state file: "brakes". */
const char *collection_name(enum collection collection);

/* False when there is none of that name. */
bool collection_find(const char *name, enum collection *out_collection);

/* Its documents begin with a line of terms (store/documents.h). */
bool collection_is_indexed(enum collection collection);

/* Administrators see its documents, and whoever has them on a page wants to know of a
 * change. */
bool collection_is_shown(enum collection collection);

/* How many documents it may have. */
size_t collection_max(enum collection collection);

#endif
