/* The table of options says what a group may contain; no option is named here. */
#include "conf/group.h"

#include <stdlib.h>
#include <string.h>

#include "conf/value.h"

/* The last part of a dotted name that is in the scope; NULL when it is in another one. */
static const char *within(const char *scope, const char *name)
{
    size_t length = strlen(scope);
    const char *rest = name;
    if (length > 0) {
        if (strncmp(name, scope, length) != 0 || name[length] != '.')
            return NULL;
        rest = name + length + 1;
    }
    return strchr(rest, '.') == NULL ? rest : NULL;
}

static bool is_known(const struct option_table *table, const char *scope,
                     const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        const char *own = within(scope, table->options[i].name);
        if (own != NULL && strcmp(own, name) == 0)
            return true;
    }
    return false;
}

static void check_unknown(struct reader *reader, const struct option_table *table,
                          const char *scope, const struct node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        const struct node *child = tree_child(&reader->tree, node, i);
        if (is_known(table, scope, child->name))
            continue;
        problems_error(reader->problems, child->file, child->line,
                       "%s%s%.100s: there is no such setting", scope,
                       scope[0] == '\0' ? "" : ".", child->name);
    }
}

/* A default is read like any other value. */
static void read_initial(struct reader *reader, const struct option *option, void *field)
{
    char *string = strdup(option->initial);
    struct node node = {.kind = NODE_STRING, .string = string, .file = ""};
    if (string == NULL) {
        reader->failed = true;
        return;
    }
    if (option->read == value_integer || option->read == value_count ||
        option->read == value_growth) {
        node.kind = NODE_INTEGER;
        node.integer = strtoll(string, NULL, 10);
    } else if (option->read == value_bool) {
        node.kind = NODE_BOOL;
        node.integer = strcmp(string, "true") == 0;
    }
    option->read(reader, option, &node, field);
    free(string);
}

void group_read(struct reader *reader, const struct option_table *table,
                const char *scope, const struct node *node, void *base)
{
    if (node != NULL)
        check_unknown(reader, table, scope, node);
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        const char *name = within(scope, option->name);
        if (name == NULL || option->read == NULL)
            continue;
        const struct node *child = tree_find(&reader->tree, node, name);
        void *field = (char *)base + option->offset;
        if (child != NULL)
            option->read(reader, option, child, field);
        else if (option->initial != NULL)
            read_initial(reader, option, field);
    }
}

void group_read_section(struct reader *reader, const struct option_table *table,
                        const char *name, void *base)
{
    const struct option section = {.name = name};
    const struct node *node = tree_find(&reader->tree, tree_root(&reader->tree), name);
    if (node != NULL && !reader_expect(reader, &section, node, NODE_GROUP))
        node = NULL;
    group_read(reader, table, name, node, base);
}
