/* The addresses that a reader sees anywhere in a To or Cc. */
#ifndef POLICY_SHOWN_H
#define POLICY_SHOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum shown_place {
    SHOWN_MAILBOX, /* where an address belongs; without '@' it is a bare name */
    SHOWN_IN_TEXT, /* in a display name, a comment, a group's name */
};

/* One address as written, to be given to address_parse; borrowed for the call. */
typedef enum status shown_take(void *context, enum shown_place place, const char *raw,
                               size_t length);

/* Calls take for each address of a field as the MTA hands it over, in any order, the
 * same one as often as it is shown. Encoded words (RFC 2047) are decoded first. Several
 * addresses in one mailbox, with blanks, '|' or whatever a domain can't hold between
 * them, are several. "Bee, Ann <a@x>" is one: a bare name right before a mailbox with
 * brackets is part of the display name. NOMEM, or what take answered. Linear time. */
enum status shown_each(const char *value, shown_take *take, void *context) MUST_CHECK;

#endif
