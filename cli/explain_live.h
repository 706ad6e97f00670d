/* explain, asked of the daemon. */
#ifndef CLI_EXPLAIN_LIVE_H
#define CLI_EXPLAIN_LIVE_H

#include <jansson.h>

#include "cli/arguments.h"
#include "policy/message.h"

/* The daemon's explanation of a message; purpose is for its audit, or NULL. UNAVAILABLE:
 * nobody is there to ask, or it has another configuration than the one that the arguments
 * name, or does not let us ask (then with a message on stderr); with --socket that is
 * INVALID, as is any refusal, after a message on stderr. */
enum status explain_live(const struct arguments *arguments, const char *purpose,
                         const struct envelope *envelope, json_t **out) MUST_CHECK;

#endif
