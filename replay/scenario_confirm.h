/* confirm TAG at DURATION: whoever sent what has the tag answers the letters about it. */
#ifndef REPLAY_SCENARIO_CONFIRM_H
#define REPLAY_SCENARIO_CONFIRM_H

#include "engine/engine.h"
#include "replay/scenario_reader.h"

enum status scenario_confirm(struct scenario_reader *reader, const char *rest) MUST_CHECK;

/* What senders were asked about in a replay. Zero-initialise, and clear when done. */
struct asked {
    struct asked_item *items;
    size_t count;
    size_t answered; /* of the scenario's answers, in their order */
};
void asked_clear(struct asked *asked);

/* Notes a message of that tag if its sender can let it go by answering. NOMEM. */
enum status asked_note(struct asked *asked, const struct judgement *judgement,
                       size_t tag) MUST_CHECK;

/* Adds to brakes what may pass by the answers that are due at that time. NOMEM. */
enum status asked_answer(struct asked *asked, const struct scenario *scenario,
                         int64_t now_ms, struct brakes *brakes) MUST_CHECK;

#endif
