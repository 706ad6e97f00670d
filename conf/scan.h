/* Scans a configuration's text before libconfig reads it, for what libconfig 1.5 would
 * silently get wrong. */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum scan_kind {
    SCAN_END,
    SCAN_INCLUDE,   /* @include; token and length: what stands between the quotes */
    SCAN_TOO_LARGE, /* an integer past 32 bits and no L after it, which would wrap */
    SCAN_JOINED,    /* a string after an array's string without a comma: they would be one
                     */
    SCAN_NUL,       /* a NUL byte, where the text would end */
};

/* The last token, not counting blanks and comments. */
enum scan_last {
    SCAN_LAST_OTHER,
    SCAN_LAST_VALUE,   /* "=", or a string after it: the next string continues that */
    SCAN_LAST_ELEMENT, /* a string of its own */
};

/* A position in borrowed text. */
struct scan {
    const char *next;
    const char *end;
    int line;
    bool line_start; /* only blanks before next in its line */
    enum scan_last last;
    const char *token;
    size_t length;
};

/* The text of a file; last is what stands before its @include, and OTHER for the first.
 */
struct scan scan_of(const char *text, size_t length, enum scan_last last);

/* The next token that matters, outside strings and comments; line is its line. */
enum scan_kind scan_next(struct scan *scan);

#endif
