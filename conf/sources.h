/* Reading lists: where the members of lists come from. */
#ifndef CONF_SOURCES_H
#define CONF_SOURCES_H

#include "conf/reader.h"

enum { SOURCES_MAX = 100000 };

option_read sources_read; /* struct settings: lists */
void sources_clear(struct settings *settings);

#endif
