/* The named collections of documents. */
#ifndef STORE_COLLECTION_H
#define STORE_COLLECTION_H

#include <stdbool.h>

enum collection {
    COLLECTION_HOLDS,
    COLLECTION_ENDED, /* holds that are not held any more */
    COLLECTION_OPEN,
    COLLECTION_INCIDENTS,
    COLLECTION_BRAKES,
    COLLECTION_ALLOWS,
    COLLECTION_META,
};

enum { COLLECTIONS = COLLECTION_META + 1 };

/* As in Redis' keys and in the state file: "holds". */
const char *collection_name(enum collection collection);

/* False when there is none of that name. */
bool collection_find(const char *name, enum collection *out_collection);

#endif
