/* A message that Mailbrake sends: headers, token, text. */
#ifndef QUARANTINE_NOTICE_MAIL_H
#define QUARANTINE_NOTICE_MAIL_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/text.h"
#include "policy/domains.h"

enum { NOTICE_MAIL_RECIPIENTS_MAX = 20 };

struct notice_mail {
    const char *const
        *recipients; /* canonical addresses, at most NOTICE_MAIL_RECIPIENTS_MAX */
    size_t recipient_count;
    const char *subject;  /* printable ASCII */
    const char *reply_to; /* whom an answer goes to; NULL: nobody in particular */
    const char *id;       /* the same for each try of one letter, so that whoever receives
                             it twice can tell; NULL: a new one */
    const char *body;     /* lines end with \n; the caller has escaped it */
};

/* Writes the message (RFC 5322, RFC 3834: auto-generated) to out_message, and its
 * recipients, separated by blanks, to out_addresses. NOMEM, or LIMIT for too many
 * recipients; both must be cleared even then. */
enum status notice_mail_make(const struct notice_mail *mail, const struct digest_key *key,
                             const struct domains *own, int64_t now_ms,
                             struct text *out_message,
                             struct text *out_addresses) MUST_CHECK;

#endif
