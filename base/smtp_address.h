/* Envelope addresses in an order to the MTA. No shell is involved, so all that SMTP
 * allows is fine; anything that a program could take for an option, or for several
 * addresses, is refused. */
#ifndef BASE_SMTP_ADDRESS_H
#define BASE_SMTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SMTP_ADDRESS_MAX = 320, /* bytes of an address we write to (RFC 5321 4.5.3.1) */
};

/* True for a Mailbox of RFC 5321 4.1.2 with RFC 6531's letters: LOCAL@DOMAIN, the local
 * part maybe in quotes, UTF-8 without control characters, no '-' in front. */
bool smtp_address_is_valid(const char *address);

/* True when it needs SMTPUTF8 (RFC 6531). */
bool smtp_address_is_international(const char *address);

/* Length in bytes of the first word of text, which ends at a blank outside quotes: an
 * address with a quoted blank is one word. 0 for an empty word or an open quote. */
size_t smtp_address_word(const char *text);

/* Whether an MTA's list that shows an address as shown may mean this one: without regard
 * to upper and lower case (ASCII) and to needless quotes, and with '?' or U+FFFD in shown
 * for a byte that the MTA does not show. */
bool smtp_address_is_shown(const char *address, const char *shown);

#endif
