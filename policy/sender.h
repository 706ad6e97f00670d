/* What others wrote into a MAIL FROM beside whose it is: signatures and forwarders. */
#ifndef POLICY_SENDER_H
#define POLICY_SENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/address.h"
#include "policy/domains.h"

/* Takes off what is not part of whose address it is: the signature of BATV
 * ("prvs=TAG=user@domain", Barracuda's "btv1==TAG==user@domain"), which changes daily,
 * and of own domains the "+tag". The domain stays, so nobody gains by it what he would
 * not by typing the plain address. */
void sender_simplify(struct address *address, const struct domains *own);

/* Whom an address counts as that a forwarder has rewritten by SRS: "srs0=HASH=DAY=
 * domain=user@forwarder" and SRS1 count as user@domain. An own domain named so proves
 * nothing, and counts as "srs=domain=user@forwarder", nobody's address. False: it was
 * not rewritten, and *out is not written. */
bool sender_was_forwarded(const struct address *address, const struct domains *own,
                          struct address *out);

#endif
