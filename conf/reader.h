/* The table of options, and what the functions that read them share. Each reads a node of
 * the tree into a field of a struct, or reports an error. */
#ifndef CONF_READER_H
#define CONF_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problems.h"
#include "conf/tree.h"

struct settings;

/* The most bytes of a path, and of a unix socket's path (unix(7)), without the NUL. */
enum { READER_PATH_MAX = 4095, READER_SOCKET_MAX = 107 };

struct reader {
    struct tree tree;
    struct settings *settings; /* being filled; NULL when only a group of them is read */
    char *folder;              /* of the configuration, absolute */
    struct problems *problems;
    bool failed; /* out of memory; sticks, so that it is checked once, at the end */
};

struct option;

/* Reads a node into a field of the struct. Writes only a valid value, and reports any
 * other. */
typedef void option_read(struct reader *reader, const struct option *option,
                         const struct node *node, void *field);

struct option {
    const char *name;  /* dotted: "store.timeout_ms"; of each rule: "rules.reach_over" */
    option_read *read; /* NULL: a section, whose options are listed by themselves */
    size_t offset;     /* of the field */
    const char *initial;      /* the default, as it would be written; NULL: none */
    int64_t min, max;         /* of a number, of a duration in ms, of a text in bytes */
    const char *const *words; /* NULL-terminated; the first is the value min */
    bool restart; /* a reload leaves the running value alone: see settings_keep */
};

/* Fills tree and folder. Returns what load_tree does, but INVALID past a cap. There may
 * be a tree even after an error: call reader_close whatever the result. */
enum status reader_open(struct reader *reader, const char *path) MUST_CHECK;
void reader_close(struct reader *reader);

/* An error "option: text" at the node's place. */
void reader_refuse(struct reader *reader, const struct option *option,
                   const struct node *node, const char *format, ...) PRINTF_LIKE(4, 5);

/* The same for what a parser returned; OK is no error, NOMEM makes the reader fail. */
void reader_check(struct reader *reader, const struct option *option,
                  const struct node *node, enum status status, const struct error *error);

/* True when the node is of the kind; else an error. */
bool reader_expect(struct reader *reader, const struct option *option,
                   const struct node *node, enum node_kind kind);

/* Zeroed items for the children of a node of the kind, at most max of them; NULL when
 * there are none, or after an error. what: how they are called. */
void *reader_items(struct reader *reader, const struct option *option,
                   const struct node *node, enum node_kind kind, size_t max,
                   const char *what, size_t size);

/* A string's text without control characters and as long as the option allows; else an
 * error and NULL. */
const char *reader_text(struct reader *reader, const struct option *option,
                        const struct node *node);

/* Replaces an owned string by a copy. */
void reader_keep(struct reader *reader, char **field, const char *text);

#endif
