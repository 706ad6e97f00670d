/* A message of Mailbrake's own: headers, token, text. */
#ifndef QUARANTINE_LETTER_H
#define QUARANTINE_LETTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/text.h"
#include "policy/domains.h"

enum { LETTER_RECIPIENTS_MAX = 20 };

struct letter {
    const char *const
        *recipients; /* canonical addresses, at most LETTER_RECIPIENTS_MAX */
    size_t recipient_count;
    const char *subject; /* printable ASCII */
    const char *body;    /* lines end with \n; escaped by whoever wrote it */
};

/* Writes the message (RFC 5322, RFC 3834: auto-generated) to out_message, and its
 * recipients, separated by blanks, to out_addresses. NOMEM, or LIMIT for too many
 * recipients; then both are to be cleared all the same. */
enum status letter_make(const struct letter *letter, const struct digest_key *key,
                        const struct domains *own, int64_t now_ms,
                        struct text *out_message, struct text *out_addresses) MUST_CHECK;

#endif
