/* explain, asked of the daemon. */
#ifndef CLI_EXPLAIN_LIVE_H
#define CLI_EXPLAIN_LIVE_H

#include <jansson.h>

#include "cli/arguments.h"

/* The daemon's explanation of a message, which body describes (engine/explain_query.h);
 * purpose is for its audit, or NULL. UNAVAILABLE: no daemon answers, or it runs another
 * configuration than the arguments name, or it denies access (after a message on stderr).
 * With --socket all of these are INVALID, after a message on stderr. */
enum status explain_live(const struct arguments *arguments, const char *purpose,
                         const json_t *body, json_t **out) MUST_CHECK;

#endif
