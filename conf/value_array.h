/* Reading options that are arrays of strings, and the groups, which are many such. */
#ifndef CONF_VALUE_ARRAY_H
#define CONF_VALUE_ARRAY_H

#include "conf/reader.h"

enum { ARRAY_GROUPS_MAX = 10000, ARRAY_NAMES_MAX = 64 };

/* Calls add for each entry of an array, or of a list of strings. */
void value_array_each(struct reader *reader, const struct option *option,
                      const struct node *node, option_read *add, void *field);

option_read value_array_elements; /* struct elements */
option_read value_array_somebody; /* the same, and not empty */
option_read value_array_domains;  /* struct domains */
option_read value_array_domain;   /* the same: one string, no array */
option_read value_array_strings;  /* struct strings: one string or several */
option_read value_array_logins;   /* struct login_forms: "NAME=domain" */
option_read value_array_names;    /* struct names, as value_name reads each */
option_read value_array_roles;    /* struct settings: control.roles, a group */
option_read value_array_notify;   /* struct settings: notify.to */
option_read value_array_groups;   /* struct policy: groups */

#endif
