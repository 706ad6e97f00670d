/* explain, asked of the daemon. */
#ifndef CLI_EXPLAIN_LIVE_H
#define CLI_EXPLAIN_LIVE_H

#include <jansson.h>

#include "cli/arguments.h"
#include "policy/message.h"

/* The daemon's explanation of a message; purpose is for its audit, or NULL. UNAVAILABLE:
 * no daemon answers, or it runs another configuration than the arguments name, or it
 * denies access (after a message on stderr). With --socket all of these are INVALID,
 * after a message on stderr. */
enum status explain_live(const struct arguments *arguments, const char *purpose,
                         const struct envelope *envelope, json_t **out) MUST_CHECK;

#endif
