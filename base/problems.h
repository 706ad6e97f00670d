/* Errors and warnings gathered in one go, each with its file and line. */
#ifndef BASE_PROBLEMS_H
#define BASE_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct problem {
    bool warning;
    int line;   /* 0: the whole file, or no file */
    char *file; /* owned, may be "" */
    char *text; /* owned */
};

/* Zero-initialise; clear when done. At most PROBLEMS_MAX are kept, errors rather than
 * warnings; the rest is counted. */
struct problems {
    struct problem *items;
    size_t count;
    size_t errors; /* all errors, also those not kept */
    size_t warnings;
};

enum { PROBLEMS_MAX = 200 };

/* Adding cannot fail for the caller: without memory the problem is still counted. */
void problems_error(struct problems *problems, const char *file, int line,
                    const char *format, ...) PRINTF_LIKE(4, 5);
void problems_warning(struct problems *problems, const char *file, int line,
                      const char *format, ...) PRINTF_LIKE(4, 5);

/* Adds an error that a call returned. */
void problems_take(struct problems *problems, const struct error *error);

/* Adds copies of all problems to another list. */
void problems_add(struct problems *problems, const struct problems *more);

/* True when two texts say the same: numbers that stand alone ("12", "1,200") may differ,
 * since they count and measure; those within a word ("grade-7@a.example") may not. */
bool problem_texts_match(const char *a, const char *b);

/* True when the list has one that says the same of the same line. */
bool problems_have(const struct problems *problems, const struct problem *problem);

/* Writes "FILE:LINE: text", a warning as "FILE:LINE: warning: text", without newline. */
void problem_format(const struct problem *problem, char *out, size_t size);

void problems_clear(struct problems *problems);

#endif
