/* UTF-8, for bytes that strangers chose: RFC 3629, strictly. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

bool utf8_is_valid(const char *data, size_t length);

/* Adds data; each byte that belongs to no sequence becomes U+FFFD. */
void utf8_add(struct text *text, const char *data, size_t length);

#endif
