/* Our own domains, which say what addresses are ours. */
#ifndef POLICY_DOMAINS_H
#define POLICY_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "policy/address.h"

/* Zero-initialise; names are A-labels in lower case, in the order of the configuration.
 */
struct domains {
    char **names;
    size_t count;
    char *delimiters; /* recipient_delimiter: any ends the user part; may be "" */
};

/* Adds a domain (UTF-8 or A-label). INVALID when it isn't one. */
enum status domains_add(struct domains *domains, const char *name,
                        struct error *error) MUST_CHECK;
enum status domains_set_delimiters(struct domains *domains,
                                   const char *delimiters) MUST_CHECK;
bool domains_have(const struct domains *domains, const char *domain);

/* True when the address is in one of the domains; false when it has no domain. */
bool domains_have_address(const struct domains *domains, const struct address *address);

/* A domain, or a pattern with '*' for domains, as those of messages are spelled: in lower
 * case, each label that is not ASCII as its A-label; appended to out. INVALID, with the
 * reason, for such a label that can't be one or holds a '*'. NOMEM. */
enum status domains_spell(const char *glob, struct text *out,
                          struct error *error) MUST_CHECK;

/* The domain for an address that has none: the first one, or NULL. */
const char *domains_first(const struct domains *domains);
void domains_clear(struct domains *domains);

#endif
