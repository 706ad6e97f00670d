/* What goes to the terminal: always escaped, since addresses come from strangers. */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include "base/problems.h"
#include "base/text.h"

/* Prints a line: what is formatted, with quotes and everything outside printable ASCII as
 * \xHH, and a line break. */
void output_line(const char *format, ...) PRINTF_LIKE(1, 2);

/* Adds a text with everything outside printable ASCII, and '\\', as \xHH; quotes stay, so
 * that a key can be typed as shown. */
void output_add_clean(struct text *out, const char *string);

/* One line on stderr, after the program's name. */
void output_complaint(const char *text);

/* Errors and warnings, one a line, on stderr. */
void output_problems(const struct problems *problems);

#endif
