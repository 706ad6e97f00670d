/* Lines of a text: as they stand, or joined as Postfix and Sendmail tables join them. */
#ifndef LISTS_LINES_H
#define LISTS_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "lists/file.h"

/* An iterator over borrowed text; number is that of the line last returned. */
struct lines {
    char *next;
    char *end;
    int number;
};

struct line {
    char *text; /* without the newline, and a carriage return before it */
    size_t length;
    int number;
    bool orphan; /* of lines_next_logical: continues a line that is not there */
};

struct lines lines_of(char *text, size_t length);

/* The lines after those known to be plain addresses. */
struct lines lines_after_plain(const struct file *file);
bool lines_next(struct lines *lines, struct line *out);

/* The next logical line (postmap(1), aliases(5)): a line that starts with white space
 * continues the one before; blank lines, and comments ('#' first after white space), are
 * nothing, also between the two: comments inside are overwritten by blanks. Its newlines
 * stay, so that they can be counted. */
bool lines_next_logical(struct lines *lines, struct line *out);

static inline bool lines_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

#endif
