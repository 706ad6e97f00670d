/* A scenario, judged message by message as live mail is, on a simulated clock. */
#ifndef REPLAY_REPLAY_H
#define REPLAY_REPLAY_H

#include "engine/engine.h"
#include "replay/generator.h"
#include "replay/report.h"
#include "replay/simulated.h"

/* One message that was judged; borrowed for the call. */
struct replay_outcome {
    const struct generated_message *message;
    const struct verdict *verdict;
    size_t decider; /* of the report */
    int64_t copies;
};

struct replay {
    struct engine_input input; /* but its envelope, times and conversations */
    const struct scenario *scenario;
    const struct charger *charger;
    /* Called for each message, in order; another status than OK ends the replay. May
     * be NULL. */
    enum status (*each)(void *context, const struct replay_outcome *outcome);
    void *context;
};

/* Plays it to the end. *out borrows from snapshot and scenario. INVALID with file and
 * line when a message or an expectation's bound can't be computed; NOMEM; each's status.
 * *out is empty then. */
enum status replay_run(const struct replay *replay, struct report *out,
                       struct error *error) MUST_CHECK;

/* The configuration at path with its lists; made-up members fill the scenario's lists up
 * to their size. Errors as in snapshot_load. */
enum status replay_load(const char *path, const struct scenario *scenario,
                        struct problems *problems, struct snapshot **out) MUST_CHECK;

#endif
