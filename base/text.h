/* A growing string. The first failed allocation sticks, so callers check once, at the
 * end. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Zero-initialise; clear when done. data is NUL-terminated once anything was added. */
struct text {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
    bool borrowed; /* data is the caller's */
};

/* An empty text that needs no memory until size bytes, in buffer, are too few. */
struct text text_on(char *buffer, size_t size);

void text_add_byte(struct text *text, char byte);
void text_add(struct text *text, const char *data, size_t length);
void text_add_string(struct text *text, const char *string);
void text_add_number(struct text *text, int64_t number);
void text_printf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds data so that it can stand in one line of a log or a terminal: bytes outside
 * printable ASCII, '"' and '\' become \xHH; at most max bytes of data are shown, then
 * "...". */
void text_add_escaped(struct text *text, const char *data, size_t length, size_t max);

/* Adds a part of a URL (RFC 3986, 2.1): what is no letter or digit of ASCII, nor one of
 * plain, becomes %HH. */
void text_add_percent(struct text *text, const char *part, const char *plain);

/* A number as people read it: 850,000. Returns out. */
enum { TEXT_GROUPED_SIZE = 32 };
const char *text_grouped(int64_t number, char out[TEXT_GROUPED_SIZE]);
void text_add_grouped(struct text *text, uint64_t number);

/* Empties it and keeps the memory. */
void text_reset(struct text *text);
void text_clear(struct text *text);

/* The string, or "" when nothing was added. Borrowed. */
const char *text_string(const struct text *text);

/* Ends it: a string for free(3) in *out if status is OK. Returns status, or NOMEM. */
enum status text_take(struct text *text, enum status status, char **out) MUST_CHECK;

/* Writes both strings into size bytes, cut where they don't fit, and a NUL. */
void text_join(char *out, size_t size, const char *first, const char *second);

/* The rest of string after prefix, or NULL when string does not begin with it. Borrowed.
 */
const char *text_after(const char *string, const char *prefix);

/* Reads decimal digits and moves *text past them. False, and *text has not moved, without
 * digits or past INT64_MAX. */
bool text_take_number(const char **text, int64_t *out);

/* ASCII only: what SMTP, aliases(5) and the configuration are written in. */
char text_lower(char c);
bool text_is_ascii(const char *string);
void text_lower_all(char *data, size_t length);

/* Shell-like pattern with only '*' special; '*' does not match stop ('\0': matches all).
 * Iterative; at most length(pattern) x length(data) steps. */
bool text_matches(const char *pattern, const char *data, char stop);

#endif
