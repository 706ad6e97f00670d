/* Nodes in one array, breadth first, so that a tree is built and freed without recursion
 * whatever its depth. */
#include "conf/tree.h"

#include <stdlib.h>
#include <string.h>

enum status tree_grow(struct tree *tree, size_t count, size_t *out_first)
{
    if (count > TREE_NODES_MAX - tree->count)
        return STATUS_LIMIT;
    size_t needed = tree->count + count;
    if (needed > tree->capacity) {
        size_t capacity = needed * 2;
        struct node *nodes = realloc(tree->nodes, capacity * sizeof *nodes);
        if (nodes == NULL)
            return STATUS_NOMEM;
        tree->nodes = nodes;
        tree->capacity = capacity;
    }
    for (size_t i = tree->count; i < needed; i++)
        tree->nodes[i] = (struct node){.kind = NODE_BROKEN};
    *out_first = tree->count;
    tree->count = needed;
    return STATUS_OK;
}

enum status tree_name_file(struct tree *tree, const char *name, const char **out_name)
{
    for (size_t i = 0; i < tree->file_count; i++) {
        if (strcmp(tree->files[i], name) == 0) {
            *out_name = tree->files[i];
            return STATUS_OK;
        }
    }
    if (tree->file_count == TREE_FILES_MAX)
        return STATUS_LIMIT;
    if (tree->files == NULL)
        tree->files = calloc(TREE_FILES_MAX, sizeof *tree->files);
    char *copy = strdup(name);
    if (tree->files == NULL || copy == NULL) {
        free(copy);
        return STATUS_NOMEM;
    }
    tree->files[tree->file_count++] = copy;
    *out_name = copy;
    return STATUS_OK;
}

const struct node *tree_root(const struct tree *tree)
{
    return &tree->nodes[0];
}

const struct node *tree_child(const struct tree *tree, const struct node *node, size_t i)
{
    return &tree->nodes[node->first_child + i];
}

const struct node *tree_find(const struct tree *tree, const struct node *node,
                             const char *name)
{
    if (node == NULL)
        return NULL;
    for (size_t i = 0; i < node->child_count; i++) {
        const struct node *child = tree_child(tree, node, i);
        if (child->name != NULL && strcmp(child->name, name) == 0)
            return child;
    }
    return NULL;
}

const char *node_kind_name(enum node_kind kind)
{
    static const char *const names[] = {
        [NODE_GROUP] = "a group { ... }", [NODE_ARRAY] = "an array [ ... ]",
        [NODE_LIST] = "a list ( ... )",   [NODE_INTEGER] = "a whole number",
        [NODE_FLOAT] = "a fraction",      [NODE_BOOL] = "true or false",
        [NODE_STRING] = "a string",       [NODE_BROKEN] = "nothing",
    };
    return names[kind];
}

void tree_clear(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->nodes[i].name);
        free(tree->nodes[i].string);
    }
    for (size_t i = 0; i < tree->file_count; i++)
        free(tree->files[i]);
    free(tree->nodes);
    free(tree->files);
    *tree = (struct tree){0};
}
