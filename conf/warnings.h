/* What is no mistake of the configuration, but will not work as it may be meant. */
#ifndef CONF_WARNINGS_H
#define CONF_WARNINGS_H

#include "conf/reader.h"

/* Warns at the settings' own lines. Only for settings that are right and linked. */
void warnings_add(struct reader *reader);

#endif
