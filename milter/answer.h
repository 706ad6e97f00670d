/* A decision as the MTA's answer and as a line of the log. */
#ifndef MILTER_ANSWER_H
#define MILTER_ANSWER_H

#include <libmilter/mfapi.h>

#include "engine/decide.h"
#include "milter/session.h"

/* Changes the message and sets the reply as decided; returns what the callback returns.
 * If the MTA refuses a change, the decision becomes a tempfail. */
sfsistat answer_apply(SMFICTX *ctx, const struct session *session,
                      struct decision *decision);

/* One line for the verdict, and one more, throttled, when we could not decide. */
void answer_log(SMFICTX *ctx, const struct session *session,
                const struct decision *decision, int64_t took_us);

#endif
