/* Text in the character sets that mail is written in, to UTF-8. */
#ifndef POLICY_CHARSET_H
#define POLICY_CHARSET_H

#include <iconv.h>
#include <stddef.h>

#include "base/text.h"

enum { CHARSETS_OPEN_MAX = 8 };

struct charset; /* one that is converted; NULL stands for UTF-8 */

/* Converters that one text has needed so far: opening one costs much more than using it.
 * Zero-initialise; clear when done. */
struct charsets {
    const struct charset *opened[CHARSETS_OPEN_MAX];
    iconv_t converters[CHARSETS_OPEN_MAX];
    size_t count;
};

/* By its name, in any case. NULL: UTF-8, or US-ASCII, which is part of it, or an unknown
 * one. Strangers choose the name, so it is looked up in a table of our own: iconv(3)
 * knows more than a thousand, and would run the code that they choose. */
const struct charset *charset_find(const char *name, size_t length);

/* Adds data as valid UTF-8; what isn't a character becomes U+FFFD. Of more than
 * CHARSETS_OPEN_MAX, and where the system lacks one, the bytes are taken as UTF-8. */
void charset_add(struct charsets *charsets, const struct charset *charset,
                 const char *data, size_t length, struct text *out);

void charsets_clear(struct charsets *charsets);

#endif
