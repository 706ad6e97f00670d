/* Names that outlive a process: never to be changed. */
#include "store/collection.h"

#include <string.h>

static const struct {
    const char *name;
    size_t max;
    bool indexed, shown;
} collections[COLLECTIONS] = {
    [COLLECTION_HOLDS] = {"holds-by-id", 40000, true, true},
    [COLLECTION_INCIDENTS] = {"incidents-by-id", 120000, true, true},
    [COLLECTION_BRAKES] = {"brakes", 20000, false, true},
    [COLLECTION_ALLOWS] = {"allows", 20000, false, true},
    [COLLECTION_PERMITS] = {"permits", 20000, false, true},
    [COLLECTION_ENDED_PERMITS] = {"ended-permits", 20000, false, true},
    [COLLECTION_META] = {"meta", 20000, false, false},
    [COLLECTION_WOULD] = {"would-by-id", 120000, true, true},
    [COLLECTION_TRAFFIC] = {"traffic", 5000, false, false},
    [COLLECTION_PACES] = {"paces", 1000, false, true},
    [COLLECTION_ORDERS] = {"orders", 5000, true, false},
    [COLLECTION_CONFIRM_TOKENS] = {"confirm-tokens", 20000, false, false},
    [COLLECTION_CONFIRMED] = {"confirmed", 20000, false, false},
    [COLLECTION_STAMP] = {"stamp", 20000, false, false},
    [COLLECTION_OLD_INCIDENTS] = {"incidents", 20000, false, false},
    [COLLECTION_OLD_OPEN] = {"open", 20000, false, false},
    [COLLECTION_OLD_ENDED] = {"ended", 20000, false, false},
    [COLLECTION_OLD_HOLDS] = {"holds", 20000, false, false},
};

const char *collection_name(enum collection collection)
{
    return collections[collection].name;
}

bool collection_find(const char *name, enum collection *out_collection)
{
    for (int i = 0; i < COLLECTIONS; i++)
        if (strcmp(collections[i].name, name) == 0) {
            *out_collection = (enum collection)i;
            return true;
        }
    return false;
}

bool collection_is_indexed(enum collection collection)
{
    return collections[collection].indexed;
}

bool collection_is_shown(enum collection collection)
{
    return collections[collection].shown;
}

size_t collection_max(enum collection collection)
{
    return collections[collection].max;
}
