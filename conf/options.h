/* The table of all options: names, defaults, bounds, and the fields they fill; those of
 * the groups mta and console are in mta_settings.h and console_settings.h. */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include "conf/group.h"

extern const struct option_table options_table;

#endif
