/* A text with braces, filled in for each message: {formula}, {name} (a family name
 * made up for n) and one range {first..last}, which makes one text for each number. It is
 * the string that template_expand makes. */
#ifndef REPLAY_TEMPLATE_H
#define REPLAY_TEMPLATE_H

#include "replay/formula.h"

/* Adds length bytes of text to *out with the values of its variables and constant
 * formulas filled in, and checks what is left in braces. INVALID with a reason, NOMEM. */
enum status template_expand(const char *text, size_t length, struct variables *variables,
                            struct text *out, struct error *error) MUST_CHECK;

/* True when the text has a range. */
bool template_has_range(const char *text, size_t length);

/* Its range for a scope: the first number for scope->k, and how many there are; 1 and 1
 * without one. INVALID with a reason, also past max of them. */
enum status template_range(const char *text, size_t length,
                           const struct formula_scope *scope, int64_t max,
                           int64_t *out_first, int64_t *out_count,
                           struct error *error) MUST_CHECK;

/* Adds the filled-in text; with a range, that of scope->k. NOMEM shows in out->failed. */
enum status template_fill(const char *text, size_t length,
                          const struct formula_scope *scope, struct text *out,
                          struct error *error) MUST_CHECK;

/* The next word of a text, and *at past it; NULL at the end. Blanks and commas outside
 * braces separate words. Borrowed from the text. */
const char *template_word(const char **at, size_t *out_length);

/* Adds the family name for a number; there are a million of them, then they repeat. */
void template_name(int64_t number, struct text *out);

#endif
