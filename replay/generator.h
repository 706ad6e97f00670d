/* The messages of a scenario, in order of time, each as the milter would receive it. The
 * same in every replay. */
#ifndef REPLAY_GENERATOR_H
#define REPLAY_GENERATOR_H

#include "policy/message.h"
#include "replay/scenario.h"

struct generator;

struct generated_message {
    int64_t number; /* from 1 */
    int64_t at_ms;  /* wall time */
    size_t tag;
    struct envelope envelope; /* borrowed until the next message */
};

/* scenario is borrowed. NULL without memory. */
struct generator *generator_new(const struct scenario *scenario);
void generator_free(struct generator *generator); /* NULL is allowed */

/* The next message; NOT_FOUND at the end, INVALID (with file and line) when a formula
 * fails, NOMEM. */
enum status generator_next(struct generator *generator, struct generated_message *out,
                           struct error *error) MUST_CHECK;

#endif
