/* Formulas over whole numbers: + - * / % ( ), min(a, b), max(a, b), the numbers of a
 * message (n, run, k), and functions of the caller's: size(list@a.b). */
#ifndef REPLAY_FORMULA_H
#define REPLAY_FORMULA_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "replay/variables.h"

enum { FORMULA_TEXT_MAX = 500 }; /* bytes */

/* What a value depends on. */
struct formula_scope {
    int64_t n;   /* number of the message in its series, from 1 */
    int64_t run; /* of the repeat block around it, from 1 */
    int64_t k;   /* position in the range {a..b} around it */
    /* A value by name; argument is "" without one. NULL: there are none. INVALID with a
     * reason. */
    enum status (*lookup)(void *context, const char *name, const char *argument,
                          int64_t *out, struct error *error);
    void *context;
};

enum formula_kind {
    FORMULA_CONSTANT,
    FORMULA_SCOPED,   /* depends on n, run or k */
    FORMULA_EXTERNAL, /* depends on scope->lookup */
};

/* Adds the formula (length bytes of text) to *out with variables replaced by their
 * numbers, and checks its syntax. INVALID with a reason. */
enum status formula_expand(const char *text, size_t length, struct variables *variables,
                           struct text *out, enum formula_kind *out_kind,
                           struct error *error) MUST_CHECK;

/* The value of a formula that formula_expand made. INVALID with a reason: a division by
 * 0, a number past 63 bits, or what lookup says. */
enum status formula_evaluate(const char *text, size_t length,
                             const struct formula_scope *scope, int64_t *out,
                             struct error *error) MUST_CHECK;

#endif
