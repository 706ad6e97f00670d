/* Names that outlive a process: never to be changed. */
#include "store/collection.h"

#include <string.h>

static const char *const names[COLLECTIONS] = {
    [COLLECTION_HOLDS] = "holds",   [COLLECTION_ENDED] = "ended",
    [COLLECTION_OPEN] = "open",     [COLLECTION_INCIDENTS] = "incidents",
    [COLLECTION_BRAKES] = "brakes", [COLLECTION_ALLOWS] = "allows",
    [COLLECTION_META] = "meta",
};

const char *collection_name(enum collection collection)
{
    return names[collection];
}

bool collection_find(const char *name, enum collection *out_collection)
{
    for (int i = 0; i < COLLECTIONS; i++)
        if (strcmp(names[i], name) == 0) {
            *out_collection = (enum collection)i;
            return true;
        }
    return false;
}
