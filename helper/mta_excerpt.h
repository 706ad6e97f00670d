/* What an administrator may read of a held message: its Subject, or its header and the
 * beginning of each part of its body. No part is decoded here. */
#ifndef HELPER_MTA_EXCERPT_H
#define HELPER_MTA_EXCERPT_H

#include <stdbool.h>

#include "base/text.h"

enum {
    MTA_EXCERPT_BYTES = 512 * 1024,   /* of lines in one excerpt */
    MTA_EXCERPT_RUN_BYTES = 64 * 1024 /* of lines between two that begin with "--" */
};

/* Zero-initialise but for out and whole. */
struct mta_excerpt {
    struct text *out;
    bool whole; /* false: the fields Subject alone */
    bool in_subject, in_body, ended;
    size_t bytes, run_bytes;
    size_t skipped_bytes, skipped_lines, skipped_equals;
};

/* The next line of the message, without its end. Adds " LINE", or nothing and counts:
 * past a bound, see content in mailbrake-mta(8), "+BYTES LINES EQUALS" comes for the
 * lines that were left out, or "-" where the excerpt ends before the message. */
void mta_excerpt_add(struct mta_excerpt *excerpt, const char *line);

/* After the last line. */
void mta_excerpt_end(struct mta_excerpt *excerpt);

#endif
