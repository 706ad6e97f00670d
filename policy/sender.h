/* Undoes what others add to a MAIL FROM: signatures (BATV) and forwarding (SRS). */
#ifndef POLICY_SENDER_H
#define POLICY_SENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/address.h"
#include "policy/domains.h"

/* Removes what doesn't belong to the mailbox: the signature of BATV
 * ("prvs=TAG=user@domain", Barracuda's "btv1==TAG==user@domain"), which changes daily,
 * and in own domains the "+tag". The domain stays, so a forger gains nothing over typing
 * the plain address. */
void sender_simplify(struct address *address, const struct domains *own);

/* The original sender of an address that a forwarder has rewritten by SRS:
 * "srs0=HASH=DAY=domain=user@forwarder" and SRS1 count as user@domain. If that is an own
 * domain it proves nothing, and counts as "srs=domain=user@forwarder", which is nobody's
 * address. False, and *out is not written, when it was not rewritten. */
bool sender_was_forwarded(const struct address *address, const struct domains *own,
                          struct address *out);

#endif
