/* The members of an entry of aliases(5) or virtual(5), :include: files followed. */
#ifndef LISTS_TARGETS_H
#define LISTS_TARGETS_H

#include <stddef.h>

#include "base/problems.h"
#include "base/status.h"
#include "lists/entries.h"

enum {
    TARGETS_DEPTH_MAX = 20,      /* :include: within :include: */
    TARGETS_INCLUDES_MAX = 1000, /* files in one entry */
    TARGETS_CUT = 2048 /* bytes of an :include: file's line: line_length_limit */
};

/* Where the right-hand side is. */
struct targets_place {
    const char *path; /* of the source */
    int line;         /* where text starts */
    const char *user; /* local part of a virtual(5) key: "@domain" means user@domain
                         there; NULL: it means nothing */
};

/* Adds the values of text to the entry. An :include: that cannot be read, or passes a
 * cap, is an error in problems and makes the entry failed; include loops are a warning.
 * NOMEM and LIMIT (of the entry's bytes) are the only failures. */
enum status targets_add(const struct targets_place *place, const char *text,
                        size_t length, struct entry *entry,
                        struct problems *problems) MUST_CHECK;

#endif
