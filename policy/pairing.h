/* An accept is a right only while every recipient is named by its rule: with one more in
 * Cc, the message falls to the rules below. This finds the rejects that then take it. */
#ifndef POLICY_PAIRING_H
#define POLICY_PAIRING_H

#include "policy/policy.h"

/* The rule above the reject at this index that accepts mail to lists which this one
 * rejects, and some of whose senders it neither excepts nor leaves to others; NULL: there
 * is none. The policy is linked. Of what can't be compared, like a list's members with
 * logins, it says nothing. */
const struct rule *pairing_find(const struct policy *policy, size_t index);

#endif
