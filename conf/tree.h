/* A configuration as a tree of named values, each with its place in a file: all that the
 * rest of conf/ knows of the file's syntax. */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum node_kind {
    NODE_GROUP, /* { name = value; } */
    NODE_ARRAY, /* [ a, b ]: scalars of one kind */
    NODE_LIST,  /* ( a, b ): anything */
    NODE_INTEGER,
    NODE_FLOAT,
    NODE_BOOL,
    NODE_STRING,
    NODE_BROKEN, /* reported already */
};

struct node {
    enum node_kind kind;
    int line;
    const char *file;   /* borrowed from the tree */
    char *name;         /* NULL in arrays and lists */
    char *string;       /* NODE_STRING; else NULL */
    int64_t integer;    /* NODE_INTEGER; NODE_BOOL: 0 or 1 */
    double fraction;    /* NODE_FLOAT; may be infinite */
    size_t first_child; /* index in the tree; children stand together, in order */
    size_t child_count;
};

enum { TREE_NODES_MAX = 1000000, TREE_FILES_MAX = 100, TREE_JOINTS_MAX = 64 };

struct place {
    const char *file; /* borrowed from the tree */
    int line;
};

/* Zero-initialise; clear when done. */
struct tree {
    struct node *nodes; /* the root is the first */
    size_t count;
    size_t capacity;
    char **files; /* the configuration itself, then what it includes */
    size_t file_count;
    /* Where an array's string follows another without a comma: both are one node. */
    struct place joints[TREE_JOINTS_MAX];
    size_t joint_count;
};

/* Adds count empty nodes; nodes may move. LIMIT past TREE_NODES_MAX. */
enum status tree_grow(struct tree *tree, size_t count, size_t *out_first) MUST_CHECK;

/* The tree's own copy of a file's name, the same pointer for the same name. LIMIT past
 * TREE_FILES_MAX. */
enum status tree_name_file(struct tree *tree, const char *name,
                           const char **out_name) MUST_CHECK;

const struct node *tree_root(const struct tree *tree);
const struct node *tree_child(const struct tree *tree, const struct node *node, size_t i);

/* A child by name; NULL when there is none, or node is NULL. */
const struct node *tree_find(const struct tree *tree, const struct node *node,
                             const char *name);

/* What a kind is called in a message: "a string". */
const char *node_kind_name(enum node_kind kind);

void tree_clear(struct tree *tree);

#endif
