/* Our JSON, on the terminal and in the control API. */
#ifndef ENGINE_JSON_OUTPUT_H
#define ENGINE_JSON_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/problems.h"
#include "conf/settings.h"

/* Prints one JSON document and a newline, and drops the reference; false, with a message
 * on stderr, when json is NULL (no memory) or can't be written. */
bool json_output_print(json_t *json);

/* A JSON string from bytes that may be no UTF-8: those become U+FFFD. */
json_t *json_output_string(const char *string);

/* A time in ms since 1970, as "2026-12-01T08:00:00Z"; null for 0, which is never. */
json_t *json_output_instant(int64_t wall_ms);

/* The lines of a text, as an array of strings. */
json_t *json_output_lines(const char *text);

/* The errors, or the warnings, as [{"file", "line", "text"}]. */
json_t *json_output_problems(const struct problems *problems, bool warnings);

/* The options whose new value waits for a restart, as ["store.type"]. */
json_t *json_output_restart(const struct settings *settings);

#endif
