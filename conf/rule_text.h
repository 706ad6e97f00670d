/* A rule as the configuration writes it, with some of its options changed. */
#ifndef CONF_RULE_TEXT_H
#define CONF_RULE_TEXT_H

#include "base/text.h"
#include "conf/tree.h"

struct rule_change {
    const char *option;
    const char *string; /* its value; NULL: number */
    int64_t number;     /* -1: the option goes */
};

/* Adds "{ name = "x"; ... }" without a line break at the end, in lines of about 90
 * columns, each indented by two. Options that the rule has not come last. Comments do not
 * stay, as the tree has none. */
void rule_text_add(struct text *out, const struct tree *tree, const struct node *rule,
                   const struct rule_change *changes, size_t count);

#endif
