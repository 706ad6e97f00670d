/* The pieces of RFC 5322 that an address and a list of addresses share. A backslash takes
 * the next byte's meaning away everywhere, also where the RFC knows no quoted pair, so
 * that all scanners agree on which bytes are plain. */
#ifndef POLICY_SYNTAX_H
#define POLICY_SYNTAX_H

#include <stdbool.h>

/* Blank, tab, or an end of line (lines are folded). */
bool syntax_is_space(char c);

/* atext of RFC 5322 3.2.3, and RFC 6532's: any byte above ASCII. */
bool syntax_is_atext(char c);

/* Past a backslash and the byte it quotes, if there is one. */
const char *syntax_skip_pair(const char *at, const char *end);

/* Past the quoted string, or the comment with the comments in it, that opens at `at`;
 * NULL when it does not close. */
const char *syntax_skip_quoted(const char *at, const char *end);
const char *syntax_skip_comment(const char *at, const char *end);

/* Past the domain literal "[...]" that opens at `at`; NULL when it isn't one. Nothing
 * that means something elsewhere may stand in it, but for colons and blanks. */
const char *syntax_skip_literal(const char *at, const char *end);

#endif
