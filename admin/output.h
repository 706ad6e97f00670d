/* What goes to the terminal: always escaped, since addresses come from strangers. */
#ifndef ADMIN_OUTPUT_H
#define ADMIN_OUTPUT_H

#include <jansson.h>

#include "base/problems.h"
#include "base/text.h"
#include "conf/settings.h"

/* Prints one JSON document and a newline, and drops the reference; false, with a message
 * on stderr, when json is NULL (no memory) or can't be written. */
bool output_json(json_t *json);

/* A JSON string from bytes that may be no UTF-8: those become U+FFFD. */
json_t *output_string(const char *string);

/* Prints a text with everything outside printable ASCII as \xHH. */
void output_escaped(const char *string);

/* Adds a text with everything outside printable ASCII, and '\\', as \xHH; quotes stay,
 * since what is a key is to be typed again. */
void output_add_clean(struct text *out, const char *string);

/* One line on stderr, behind the program's name. */
void output_complaint(const char *text);

/* Errors and warnings, one a line, on stderr. */
void output_problems(const struct problems *problems);

/* The options whose new value waits for a restart, as ["store.type"]. */
json_t *output_restart_array(const struct settings *settings);

/* The errors, or the warnings, as [{"file", "line", "text"}]. */
json_t *output_problem_array(const struct problems *problems, bool warnings);

#endif
