/* Formulas of whole numbers: + - * / % ( ), min(a, b), max(a, b),
 * random(a, b), the numbers of a message (n, run, k), variables, and what a caller knows
 * by name: size(list@a.b). */
#ifndef REPLAY_FORMULA_H
#define REPLAY_FORMULA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "replay/variables.h"

enum { FORMULA_STEPS_MAX = 64, FORMULA_TEXT_MAX = 500 };

struct formula;

/* What a value depends on. */
struct formula_scope {
    int64_t n;       /* number of the message in its series, from 1 */
    int64_t run;     /* of the block it stands in, from 1 */
    int64_t k;       /* of the range {a..b} it stands in */
    uint64_t random; /* state of the random numbers; moves on with each */
    /* A value by name, argument "" without one; NULL: there are none. INVALID with a
     * reason. */
    enum status (*lookup)(void *context, const char *name, const char *argument,
                          int64_t *out, struct error *error);
    void *context;
};

/* Variables become numbers here and now. INVALID with a reason, NOMEM. */
enum status formula_parse(const char *text, size_t length, struct variables *variables,
                          struct formula **out, struct error *error) MUST_CHECK;
void formula_free(struct formula *formula); /* NULL is allowed */

/* True when it is the same number whatever the scope. */
bool formula_is_constant(const struct formula *formula);

/* True when its value depends on scope->lookup. */
bool formula_has_externals(const struct formula *formula);

/* INVALID: a division by 0, a number past 63 bits, or what lookup says. */
enum status formula_evaluate(const struct formula *formula, struct formula_scope *scope,
                             int64_t *out, struct error *error) MUST_CHECK;

/* A whole number from low to high, both included, the next of the state's. */
int64_t formula_draw(uint64_t *state, int64_t low, int64_t high);

#endif
