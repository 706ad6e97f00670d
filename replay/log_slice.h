/* A part of a log line, where it lies; no NUL ends it. */
#ifndef REPLAY_LOG_SLICE_H
#define REPLAY_LOG_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct log_slice {
    const char *data;
    size_t length;
};

/* The slice of a string literal. */
#define LOG_SLICE(literal) ((struct log_slice){"" literal, sizeof(literal) - 1})

/* Moves *slice past prefix; false, and it has not moved, when it begins otherwise. */
static inline bool log_slice_skip(struct log_slice *slice, struct log_slice prefix)
{
    if (slice->length < prefix.length ||
        memcmp(slice->data, prefix.data, prefix.length) != 0)
        return false;
    slice->data += prefix.length;
    slice->length -= prefix.length;
    return true;
}

static inline bool log_slice_is(struct log_slice slice, struct log_slice other)
{
    return slice.length == other.length &&
           memcmp(slice.data, other.data, other.length) == 0;
}

/* What comes before the first stop; *slice moves past it. Without one all of it. */
struct log_slice log_slice_until(struct log_slice *slice, char stop);

/* Moves *slice past the first needle; false, and it has not moved, without one. */
bool log_slice_find(struct log_slice *slice, struct log_slice needle);

/* Reads decimal digits and moves past them; false, and it has not moved, without digits
 * or past UINT32_MAX. */
bool log_slice_number(struct log_slice *slice, uint32_t *out);

/* Reads "<address>", with or without a quoted local part, and moves past it. False when
 * it is cut. */
bool log_slice_address(struct log_slice *slice, struct log_slice *out);

/* The value of ", name=" as far as the next ", "; false when there is none. name has the
 * comma, the blank and the '='. */
bool log_slice_field(struct log_slice line, struct log_slice name, struct log_slice *out);

/* The IP address of "name[address]" or "name [address]", without "IPv6:"; empty when
 * there is none. */
struct log_slice log_slice_client(struct log_slice text);

#endif
