/* What the limits of a configuration come to: for mailbrake check. */
#ifndef CLI_CHECK_LIMITS_H
#define CLI_CHECK_LIMITS_H

#include <jansson.h>

#include "lists/snapshot.h"

/* A line for each rule with a limit: the most that it lets pass in one period. */
void check_limits_print(const struct snapshot *snapshot);

/* [{"rule", "key", "unit", "burst", "tokens", "period_s", "most"}]; empty for NULL. */
json_t *check_limits_json(const struct snapshot *snapshot);

#endif
