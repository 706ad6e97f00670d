/* A look at a configuration's text before libconfig reads it, for what libconfig 1.5
 * would get wrong without a word. */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum scan_kind {
    SCAN_END,
    SCAN_INCLUDE,   /* @include; token and length: what stands between the quotes */
    SCAN_TOO_LARGE, /* an integer past 32 bits and no L behind it, which would wrap */
    SCAN_NUL,       /* a NUL byte, where the text would end */
};

/* A position in borrowed text. */
struct scan {
    const char *next;
    const char *end;
    int line;
    bool line_start; /* only blanks before next in its line */
    const char *token;
    size_t length;
};

struct scan scan_of(const char *text, size_t length);

/* The next thing worth knowing, outside strings and comments; line is where it stands. */
enum scan_kind scan_next(struct scan *scan);

#endif
