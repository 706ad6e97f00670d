/* One mailbox as a person types it, into a configuration or a command. */
#ifndef POLICY_MAILBOX_H
#define POLICY_MAILBOX_H

#include "policy/address.h"

/* Its canonical spelling; one without a domain gets default_domain (NULL: is refused).
 * INVALID with a reason for a pattern, several addresses, and all that SMTP would take
 * for something else; only a quoted local part ("a b"@c) may hold what it likes. */
enum status mailbox_parse(const char *text, const char *default_domain,
                          struct address *out, struct error *error) MUST_CHECK;

#endif
