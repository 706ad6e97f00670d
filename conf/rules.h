/* Reading the rules. */
#ifndef CONF_RULES_H
#define CONF_RULES_H

#include "conf/reader.h"

enum { RULES_MAX = 1000 };

option_read rules_read; /* struct policy: rules */

option_read rules_limit; /* struct rule: has_limit, limit and unit */
option_read rules_key;   /* enum key */

#endif
