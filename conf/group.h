/* A group of the configuration, read by a table of options into a struct. */
#ifndef CONF_GROUP_H
#define CONF_GROUP_H

#include "conf/reader.h"

struct option_table {
    const struct option *options;
    size_t count;
};

/* Reads the options of one scope ("": the top, "store", "rules": one rule) from a group
 * into the struct at base. An option that the group doesn't set gets its default, and a
 * name that is not in the table is an error. node may be NULL: all defaults. */
void group_read(struct reader *reader, const struct option_table *table,
                const char *scope, const struct node *node, void *base);

/* The same for the group named name at the top of the configuration. */
void group_read_section(struct reader *reader, const struct option_table *table,
                        const char *name, void *base);

#endif
