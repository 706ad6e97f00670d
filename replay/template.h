/* A text with braces, filled in anew for each message: {variable}, {formula},
 * {name} or {name:formula} (a family name made up for a number, n if it is left out),
 * and one range {first..last}, of which each number makes a text of its own. */
#ifndef REPLAY_TEMPLATE_H
#define REPLAY_TEMPLATE_H

#include "base/text.h"
#include "replay/formula.h"

struct template;

/* length bytes of text. INVALID with a reason, NOMEM. */
enum status template_parse(const char *text, size_t length, struct variables *variables,
                           struct template **out, struct error *error) MUST_CHECK;
void template_free(struct template *template); /* NULL is allowed */

/* True when it is the same text whatever the scope. */
bool template_is_constant(const struct template *template);
bool template_has_range(const struct template *template);

/* The bounds of its range; 1 and 1 without one. Then scope->k is what to count. */
enum status template_range(const struct template *template, struct formula_scope *scope,
                           int64_t *out_first, int64_t *out_last,
                           struct error *error) MUST_CHECK;

/* Adds the text; with a range, that of scope->k. NOMEM shows in out->failed. */
enum status template_fill(const struct template *template, struct formula_scope *scope,
                          struct text *out, struct error *error) MUST_CHECK;

/* Adds the family name made up for a number: a million of them, then they come again. */
void template_name(int64_t number, struct text *out);

#endif
