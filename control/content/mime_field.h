/* The fields of a MIME part's header: a value and its parameters (RFC 2045 5.1, 2231). */
#ifndef CONTROL_MIME_FIELD_H
#define CONTROL_MIME_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum { MIME_FIELD_WORD_SIZE = 100 };

/* What stands before the first parameter, in lower case, as "text/plain"; "" when it is
 * longer than MIME_FIELD_WORD_SIZE - 1 or not printable ASCII. */
void mime_field_word(const char *value, char out[MIME_FIELD_WORD_SIZE]);

/* Adds a parameter's value: as it is, or, when it comes in a character set or in pieces
 * (name*, name*0), in UTF-8. False when there is none. */
bool mime_field_parameter(const char *value, const char *name, struct text *out);

/* Adds the bytes of quoted-printable text, of which a line may be cut (RFC 2045 6.7);
 * what is no code stays. */
void mime_field_quoted_printable(const char *data, size_t length, struct text *out);

#endif
