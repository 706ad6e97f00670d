/* One of the MTA's programs, run to its end: no shell, only argv, a fixed environment,
 * never longer than a deadline. */
#ifndef ADMIN_MTA_RUN_H
#define ADMIN_MTA_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

enum { MTA_PIECE_MAX = 16384 };

/* Takes what the program prints line by line. A line is one piece, NUL-terminated and
 * without its end; a line longer than MTA_PIECE_MAX comes in several, first and last
 * marked. */
struct mta_run_lines {
    void (*take)(void *context, const char *piece, bool first, bool last);
    void *context;
};

/* argv[0] is the absolute path; argv ends with NULL. input (may be NULL) is its standard
 * input; lines (may be NULL) get its standard output. OK when it ended with 0. IO with
 * the last line that it wrote to standard error, UNAVAILABLE when it was killed at the
 * deadline. */
enum status mta_run(const char *const *argv, const struct text *input,
                    const struct mta_run_lines *lines, int64_t deadline_us,
                    struct error *error) MUST_CHECK;

#endif
