/* A stranger's text, for a terminal or a page. */
#ifndef BASE_READABLE_H
#define BASE_READABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* Adds at most max bytes of data as valid UTF-8 that can't act on who shows it: control
 * characters (escape sequences begin with one), what changes the direction of writing,
 * and bytes that are no character become U+FFFD; what can't be seen at all is left out,
 * as are marks piled up on one character. lines: line breaks stay; else they, and all
 * runs of blanks, become one blank. False when it did not fit. */
bool readable_add(struct text *out, const char *data, size_t length, bool lines,
                  size_t max);

#endif
