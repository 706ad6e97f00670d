/* A duration as text: "15m". */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stdint.h>

#include "base/status.h"

/* A duration: integer and s, m, h, d or w, in ms. INVALID when it isn't one or overflows.
 */
enum status duration_parse(const char *string, int64_t *out_ms,
                           struct error *error) MUST_CHECK;

enum { DURATION_SIZE = 24 };

/* Writes what duration_parse reads, in the largest unit that divides it: "90m", "1d". */
void duration_format(int64_t ms, char out[DURATION_SIZE]);

#endif
