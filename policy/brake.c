/* Sets of brakes and allowances are small: each message is held against all of them. */
#include "policy/brake.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void brake_clear(struct brake *brake)
{
    brake_key_clear(&brake->key);
    free(brake->by);
    free(brake->reason);
    *brake = (struct brake){0};
}

static void clear_allowance(struct allowance *allowance)
{
    free(allowance->fingerprint);
    free(allowance->subject);
    free(allowance->id);
    free(allowance->by);
}

void brakes_clear(struct brakes *brakes)
{
    for (size_t i = 0; i < brakes->count; i++)
        brake_clear(&brakes->items[i]);
    for (size_t i = 0; i < brakes->allowance_count; i++) {
        clear_allowance(&brakes->allowances[i]);
    }
    for (size_t i = 0; i < brakes->permit_count; i++)
        permit_clear(&brakes->permits[i]);
    free(brakes->permits);
    free(brakes->items);
    free(brakes->allowances);
    *brakes = (struct brakes){0};
}

static char *copy_string(const char *string)
{
    return strdup(string == NULL ? "" : string);
}

bool brakes_add_allowance(struct brakes *brakes, const struct allowance *allowance)
{
    bool confirmed = allowance->id != NULL;
    struct allowance copy = {.fingerprint = strdup(allowance->fingerprint),
                             .subject = strdup(allowance->subject),
                             .until_ms = allowance->until_ms,
                             .id = confirmed ? strdup(allowance->id) : NULL,
                             .by = confirmed ? strdup(allowance->by) : NULL,
                             .rate = allowance->rate};
    if (copy.fingerprint == NULL || copy.subject == NULL ||
        (confirmed && (copy.id == NULL || copy.by == NULL)) ||
        !array_reserve(&brakes->allowances, brakes->allowance_count,
                       sizeof *brakes->allowances)) {
        clear_allowance(&copy);
        return false;
    }
    brakes->allowances[brakes->allowance_count++] = copy;
    return true;
}

struct allowance brakes_borrow_allowance(const char *fingerprint, const char *subject,
                                         int64_t until_ms)
{
    return (struct allowance){.fingerprint = (char *)(uintptr_t)fingerprint,
                              .subject = (char *)(uintptr_t)subject,
                              .until_ms = until_ms};
}

bool brakes_add(struct brakes *brakes, const struct brake *brake)
{
    struct brake copy = *brake;
    copy.key.text = copy_string(brake->key.text);
    copy.by = copy_string(brake->by);
    copy.reason = copy_string(brake->reason);
    if (copy.key.text == NULL || copy.by == NULL || copy.reason == NULL ||
        !array_reserve(&brakes->items, brakes->count, sizeof *brakes->items)) {
        brake_clear(&copy);
        return false;
    }
    brakes->items[brakes->count++] = copy;
    return true;
}

bool brakes_add_permit(struct brakes *brakes, const struct permit *permit)
{
    if (!array_reserve(&brakes->permits, brakes->permit_count, sizeof *brakes->permits) ||
        !permit_copy(permit, &brakes->permits[brakes->permit_count]))
        return false;
    brakes->permit_count++;
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct brake *a = left;
    const struct brake *b = right;
    return strcmp(a->key.text, b->key.text);
}

/* What ends first is used first. */
static int compare_permits(const void *left, const void *right)
{
    const struct permit *a = left;
    const struct permit *b = right;
    if (a->until_ms != b->until_ms)
        return a->until_ms < b->until_ms ? -1 : 1;
    return strcmp(a->id, b->id);
}

void brakes_sort(struct brakes *brakes)
{
    if (brakes->permit_count > 0)
        qsort(brakes->permits, brakes->permit_count, sizeof *brakes->permits,
              compare_permits);
    if (brakes->count > 0)
        qsort(brakes->items, brakes->count, sizeof *brakes->items, compare);
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

static bool is_allowance_of(const struct allowance *allowance, const char *fingerprint,
                            const char *subject, int64_t now_ms)
{
    return allowance->until_ms > now_ms &&
           strcmp(allowance->fingerprint, fingerprint) == 0 &&
           strcmp(allowance->subject, subject) == 0;
}

bool brake_allows(const struct brakes *brakes, const char *fingerprint,
                  const char *subject, int64_t now_ms)
{
    for (size_t i = 0; brakes != NULL && i < brakes->allowance_count; i++) {
        const struct allowance *allowance = &brakes->allowances[i];
        if (allowance->id == NULL &&
            is_allowance_of(allowance, fingerprint, subject, now_ms))
            return true;
    }
    return false;
}

const struct allowance *brake_find_confirmed(const struct brakes *brakes,
                                             const char *fingerprint, const char *subject,
                                             const struct facts *facts,
                                             const struct domains *own, int64_t now_ms)
{
    char by[CONFIRM_IDENTITY_SIZE];
    const struct allowance *found = NULL;
    for (size_t i = 0; brakes != NULL && i < brakes->allowance_count; i++) {
        const struct allowance *allowance = &brakes->allowances[i];
        if (allowance->id == NULL ||
            (found != NULL && found->until_ms >= allowance->until_ms) ||
            !is_allowance_of(allowance, fingerprint, subject, now_ms))
            continue;
        if (confirm_identity(facts, own, by) && strcmp(allowance->by, by) == 0)
            found = allowance;
    }
    return found;
}
