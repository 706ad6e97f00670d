/* What goes to the terminal: always escaped, since addresses come from strangers. */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include "base/problems.h"
#include "base/text.h"

/* Prints a text with everything outside printable ASCII as \xHH. */
void output_escaped(const char *string);

/* Adds a text with everything outside printable ASCII, and '\\', as \xHH; quotes stay,
 * since what is a key is to be typed again. */
void output_add_clean(struct text *out, const char *string);

/* One line on stderr, behind the program's name. */
void output_complaint(const char *text);

/* Errors and warnings, one a line, on stderr. */
void output_problems(const struct problems *problems);

#endif
