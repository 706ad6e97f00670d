/* permit KEY NUMBER [at DURATION] for DURATION [to ADDRESS ...] */
#ifndef REPLAY_SCENARIO_PERMIT_H
#define REPLAY_SCENARIO_PERMIT_H

#include "policy/brake.h"
#include "replay/scenario_reader.h"

enum status scenario_permit(struct scenario_reader *reader, const char *rest) MUST_CHECK;

/* Adds the scenario's permits to brakes, as the policy spells their keys. INVALID with
 * file and line; NOMEM. */
enum status scenario_permits_add(const struct scenario *scenario,
                                 const struct policy *policy, struct brakes *brakes,
                                 struct error *error) MUST_CHECK;

#endif
