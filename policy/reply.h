/* The SMTP answer to a verdict. Its words come from the configuration and from numbers
 * only, never from the message. */
#ifndef POLICY_REPLY_H
#define POLICY_REPLY_H

#include "policy/judge.h"

struct reply {
    int code;             /* 250, 450, 451 or 550 */
    const char *enhanced; /* RFC 3463; "" with 250 */
    char text[400];       /* without the codes, printable ASCII */
};

/* incident may be NULL. For accept and quarantine the code is 250. */
void reply_make(const struct verdict *verdict, const char *incident, struct reply *out);

/* "550 5.7.1 text" */
void reply_format(const struct reply *reply, char *out, size_t size);

#endif
