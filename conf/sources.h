/* Reading lists: where the members of lists come from. */
#ifndef CONF_SOURCES_H
#define CONF_SOURCES_H

#include "conf/reader.h"

struct list_source;

enum { SOURCES_MAX = 100000 };

/* True for a source that a server answers for: it takes its time, and is never read where
 * somebody waits. */
bool sources_is_remote(const struct list_source *source);

option_read sources_read; /* struct settings: lists */
void sources_clear(struct settings *settings);

#endif
