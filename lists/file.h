/* Reads a file whole, and never while it is being written. */
#ifndef LISTS_FILE_H
#define LISTS_FILE_H

#include <stddef.h>

#include "base/status.h"

/* Zero-initialise; clear when done. */
struct file {
    char *data; /* owned, a NUL after the last byte */
    size_t length;
    size_t plain_length; /* of the lines at the front known to be plain addresses */
    int plain_lines;     /* see members_skip_plain */
};

#define FILE_BYTES_MAX ((size_t)256 << 20) /* of a source of lists */

/* Reads a regular file (symbolic links are followed, devices and pipes refused) of at
 * most max bytes. One that changes, or is replaced, while it is read is read again a few
 * times. A file without a newline at its end may be half-written: it must have been left
 * alone for a second. IO, with the reason in error, whenever it cannot be had; NOMEM. */
enum status file_read(const char *path, size_t max, struct file *out,
                      struct error *error) MUST_CHECK;

/* INVALID with path and line in error when it holds a NUL byte; drops the byte order mark
 * that some editors put in front. */
enum status file_check_text(struct file *file, const char *path,
                            struct error *error) MUST_CHECK;

void file_clear(struct file *file);

#endif
