/* Sets of brakes and allowances are small: each message is held against all of them. */
#include "policy/brake.h"

#include <stdlib.h>
#include <string.h>

void brake_clear(struct brake *brake)
{
    brake_key_clear(&brake->key);
    free(brake->by);
    free(brake->reason);
    *brake = (struct brake){0};
}

void brakes_clear(struct brakes *brakes)
{
    for (size_t i = 0; i < brakes->count; i++)
        brake_clear(&brakes->items[i]);
    for (size_t i = 0; i < brakes->allowance_count; i++) {
        free(brakes->allowances[i].fingerprint);
        free(brakes->allowances[i].subject);
    }
    free(brakes->items);
    free(brakes->allowances);
    *brakes = (struct brakes){0};
}

const struct brake *brake_find(const struct brakes *brakes, const struct facts *facts,
                               const struct directory *directory, int64_t now_ms)
{
    for (size_t i = 0; brakes != NULL && i < brakes->count; i++) {
        const struct brake *brake = &brakes->items[i];
        if (brake->until_ms > now_ms && brake_key_matches(&brake->key, facts, directory))
            return brake;
    }
    return NULL;
}

bool brake_allows(const struct brakes *brakes, const char *fingerprint,
                  const char *subject, int64_t now_ms)
{
    for (size_t i = 0; brakes != NULL && i < brakes->allowance_count; i++) {
        const struct allowance *allowance = &brakes->allowances[i];
        if (allowance->until_ms > now_ms &&
            strcmp(allowance->fingerprint, fingerprint) == 0 &&
            strcmp(allowance->subject, subject) == 0)
            return true;
    }
    return false;
}
