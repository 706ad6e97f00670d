/* UTF-8, for bytes that strangers chose: RFC 3629, strictly. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

bool utf8_is_valid(const char *data, size_t length);

/* The length of the character at data (length > 0), and which it is; 1 and U+FFFD for a
 * byte that belongs to none. */
size_t utf8_next(const char *data, size_t length, uint32_t *out);

/* Adds a character; U+FFFD for what is none. */
void utf8_add_character(struct text *text, uint32_t character);

/* Adds data; each byte that belongs to no sequence becomes U+FFFD. */
void utf8_add(struct text *text, const char *data, size_t length);

#endif
