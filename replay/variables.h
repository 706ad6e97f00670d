/* The named texts of a scenario: {list}, {pupils}. */
#ifndef REPLAY_VARIABLES_H
#define REPLAY_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { VARIABLES_MAX = 200, VARIABLES_NAME_MAX = 40 };

struct variable {
    char *name, *value; /* owned */
    bool fixed;         /* from the command line: the scenario does not change it */
    bool used;
};

/* Zero-initialise; clear when done. */
struct variables {
    struct variable *items;
    size_t count;
};

/* The length of the name that text begins with: letters, digits and '_', the first not a
 * digit, at most VARIABLES_NAME_MAX bytes; 0 when there is none. */
size_t variables_name(const char *text, const char *end);

/* True when all length bytes of text are a name. */
bool variables_is_name(const char *text, size_t length);

/* Sets it, unless it is fixed. INVALID for a bad or taken name (n, run, k, ...), LIMIT,
 * NOMEM. */
enum status variables_set(struct variables *variables, const char *name,
                          const char *value, bool fixed, struct error *error) MUST_CHECK;

/* Its text, borrowed until it is set again; NULL when there is none. */
const char *variables_find(struct variables *variables, const char *name, size_t length);

/* Whole decimal numbers from 0 to 10^15; false for all else. */
bool variables_number(const char *text, int64_t *out);

void variables_clear(struct variables *variables);

#endif
