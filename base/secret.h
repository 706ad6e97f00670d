/* A password in a file of its own. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/status.h"

enum { SECRET_SIZE = 1024 };

/* Reads the first line of a file. IO, with the file in error, when it can't be read, or
 * the line is empty or too long. */
enum status secret_read(const char *path, char out[SECRET_SIZE],
                        struct error *error) MUST_CHECK;

#endif
