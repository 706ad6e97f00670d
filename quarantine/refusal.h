/* The notice to the sender of a refused message: it names the addresses that the sender
 * wrote to, never a list's members. */
#ifndef QUARANTINE_REFUSAL_H
#define QUARANTINE_REFUSAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/text.h"
#include "policy/domains.h"

/* A notice, and the address that it goes to: "-" and no text when the sender must not be
 * notified. */
struct refusal {
    struct text message, address;
};

/* True when its sender may and can be notified. */
bool refusal_is_told(const json_t *hold);

/* The notice about a hold, as ledger_find_hold gives it, that is refused together with
 * others: count in all, of one incident and sender. The caller clears *out. NOMEM is the
 * only failure. */
enum status refusal_make(const json_t *hold, size_t count, const struct digest_key *key,
                         const struct domains *own, int64_t now_ms,
                         struct refusal *out) MUST_CHECK;

/* What is refused now is told to nobody. */
void refusal_silence(struct refusal *refusal);
void refusal_clear(struct refusal *refusal);

#endif
