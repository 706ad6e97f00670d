/* The one table of all options: names, defaults, bounds, and the fields they fill. */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include "conf/reader.h"

/* Reads the options of one scope ("": the top, "store", "rules": one rule) from a group
 * into the struct at base; what the group does not say gets its default, and what the
 * table does not know is an error. node may be NULL: all defaults. */
void options_read(struct reader *reader, const char *scope, const struct node *node,
                  void *base);

#endif
