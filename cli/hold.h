/* A held message, in a line. */
#ifndef CLI_HOLD_H
#define CLI_HOLD_H

#include <jansson.h>
#include <stdbool.h>

#include "base/text_table.h"

enum { HOLD_LISTS_SIZE = 600 };

/* The lists it was addressed to, with a comma between; "(rebuilt)" when that is not
 * known. Answers out. */
const char *hold_lists(const json_t *hold, char out[HOLD_LISTS_SIZE]);

/* Of a hold or an incident: the reach of what a brake pulled back was never counted. Its
 * cell is "?" then. */
bool hold_knows_reach(const json_t *record);
void hold_add_reach(struct text_table *table, const json_t *record);

#endif
