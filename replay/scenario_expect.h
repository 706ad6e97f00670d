/* expect: what must be true after the replay. */
#ifndef REPLAY_SCENARIO_EXPECT_H
#define REPLAY_SCENARIO_EXPECT_H

#include "replay/scenario_reader.h"

/* The statement: rest is the text after its first word. */
enum status scenario_expect(struct scenario_reader *reader, const char *rest) MUST_CHECK;

#endif
