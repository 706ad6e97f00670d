/* Runs a program to its end: no shell, a fixed environment (or ours, on request), none of
 * our descriptors, never past a deadline. */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

enum {
    PROGRAM_WORDS_MAX = 8,
    PROGRAM_MORE_MAX = 104,
    PROGRAM_LINE_MAX = 64 * 1024 * 1024, /* bytes of a line of output */
};

/* All borrowed. */
struct program {
    const char *words[PROGRAM_WORDS_MAX + 1]; /* an absolute path, arguments, NULL */
    const char *const *more; /* further arguments, NULL-terminated; or NULL */
    const char *input;       /* standard input, of input_length bytes; or NULL */
    size_t input_length;
    void (*take)(void *context, const char *line); /* gets each line of output; or NULL */
    void *context;
    bool utc;      /* its times are UTC, not those of the system's zone */
    bool inherits; /* our environment, standard output and standard error; take is NULL */
};

/* OK when it exited with 0. IO with the last line that it wrote to standard error (or to
 * standard output, when nobody takes that), UNAVAILABLE when it was killed at the
 * deadline, LIMIT when it was killed for a line that is too long. */
enum status program_run(const struct program *program, int64_t deadline_us,
                        struct error *error) MUST_CHECK;

#endif
