/* Texts in gzip (RFC 1952): a phone at a storm gets a tenth. */
#ifndef CONSOLE_GZIP_H
#define CONSOLE_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { GZIP_LEAST = 2048 }; /* bytes; below that nothing is gained */

/* Whether an Accept-Encoding, which may be NULL, takes gzip. */
bool gzip_is_accepted(const char *encodings);

/* A copy of data in gzip, for free(3). NOMEM. */
enum status gzip_pack(const char *data, size_t length, char **out,
                      size_t *out_length) MUST_CHECK;

#endif
