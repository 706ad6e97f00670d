/* Warns of settings that are valid but probably don't do what was meant. */
#ifndef CONF_WARNINGS_H
#define CONF_WARNINGS_H

#include "conf/reader.h"

/* Adds the warnings at the settings' own lines. The settings must be valid and linked. */
void warnings_add(struct reader *reader);

#endif
