/* expect: what must come true. */
#ifndef REPLAY_SCENARIO_EXPECT_H
#define REPLAY_SCENARIO_EXPECT_H

#include "replay/scenario_reader.h"

/* The statement: rest is what stands behind its first word. */
enum status scenario_expect(struct scenario_reader *reader, const char *rest) MUST_CHECK;

#endif
