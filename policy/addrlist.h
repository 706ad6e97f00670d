/* The addresses of a To, Cc, member or alias line (RFC 5322 3.4), one after the other. */
#ifndef POLICY_ADDRLIST_H
#define POLICY_ADDRLIST_H

#include <stdbool.h>
#include <stddef.h>

/* An iterator over borrowed text. */
struct addrlist {
    const char *next;
    const char *end;
    bool open_quote;   /* one did not close, so later */
    bool open_comment; /* ones are not looked for */
    bool bracketed;    /* the last address stood in angle brackets */
};

struct addrlist addrlist_of(const char *text, size_t length);

/* The next mailbox's address as written, for address_parse: the inside of the mailbox's
 * last <...>, else the mailbox without display name. Understands group names, groups'
 * ends, empty entries, folded lines, quoted strings and comments; broken ones end at the
 * next comma or the end. False at the end. Linear time in all. */
bool addrlist_next(struct addrlist *list, const char **out_address, size_t *out_length);

#endif
