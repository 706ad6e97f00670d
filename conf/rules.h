/* Reading the rules. */
#ifndef CONF_RULES_H
#define CONF_RULES_H

#include "conf/reader.h"

enum { RULES_MAX = 1000 };

option_read rules_read; /* struct policy: rules */

option_read rules_limit; /* struct rule: has_limit, limit and unit */
option_read rules_surge; /* struct rule: has_surge, surge.factor and unit */
option_read rules_key;   /* enum key */

/* Warns of rules that can't do what they seem to do. The rules must be valid and linked.
 */
void rules_warn(struct reader *reader);

#endif
