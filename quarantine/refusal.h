/* What the sender of a refused message is told: what was addressed, never who would have
 * got it. */
#ifndef QUARANTINE_REFUSAL_H
#define QUARANTINE_REFUSAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/text.h"
#include "policy/domains.h"

/* A notice, and the address that it goes to: "-" and no text when the sender may not be
 * written to. */
struct refusal {
    struct text message, address;
};

/* Whether its sender may be told, and can be. */
bool refusal_is_told(const json_t *hold);

/* The notice about a hold, as ledger_find_hold gives it, that is refused as one of count
 * of its incident and sender; *out is to be cleared. NOMEM is the only failure. */
enum status refusal_make(const json_t *hold, size_t count, const struct digest_key *key,
                         const struct domains *own, int64_t now_ms,
                         struct refusal *out) MUST_CHECK;
void refusal_clear(struct refusal *refusal);

#endif
