/* Unstructured header text with encoded words (RFC 2047). */
#ifndef POLICY_ENCODED_H
#define POLICY_ENCODED_H

#include <stddef.h>

#include "base/text.h"

/* Adds the text as people read it, in valid UTF-8: B and Q decoded, blanks between two
 * encoded words dropped (6.2), characters that two words share put together. What is no
 * encoded word stays as it is; bytes that aren't a character become U+FFFD; a character
 * set that is not known is taken for UTF-8. As generous as mail programs are: words
 * inside words, blanks in a word, and broken base64 are decoded. Linear time; failures
 * of memory stick in out. */
void encoded_decode(const char *value, size_t length, struct text *out);

/* The same for a field that is parsed afterwards: one in which no encoded word can stand
 * stays byte for byte, whatever its bytes are. Returns that text, of *out_length bytes
 * and a NUL: the value itself, or what was added to decoded, which was empty. */
const char *encoded_text(const char *value, struct text *decoded, size_t *out_length);

/* Adds the bytes that base64 stands for; what isn't a digit is skipped (RFC 2045 6.8),
 * padding starts anew. */
void encoded_base64(const char *data, size_t length, struct text *out);

#endif
