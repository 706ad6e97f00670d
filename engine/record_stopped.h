/* Records a stopped message: as a hold, or in the count of refusals. */
#ifndef ENGINE_RECORD_STOPPED_H
#define ENGINE_RECORD_STOPPED_H

#include "engine/decide.h"
#include "engine/engine.h"

/* May turn a hold into a refusal or a deferral when there is no room for it, and writes
 * what the hold and the reply name into decision. Waits at most until deadline_us. */
void record_stopped(struct engine *engine, const struct engine_input *input,
                    int64_t deadline_us, struct judgement *judgement,
                    struct decision *decision);

/* Counts what only monitors as incidents of what would have been stopped. Never waits. */
void record_would(struct engine *engine, const struct engine_input *input,
                  const struct judgement *judgement);

#endif
