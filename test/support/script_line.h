/* One line of a milter-client script in words. */
#ifndef SUPPORT_SCRIPT_LINE_H
#define SUPPORT_SCRIPT_LINE_H

#include <stddef.h>

#include "base/status.h"

enum { SCRIPT_WORDS_MAX = 64 };

/* Cuts line, in place, at blanks. "..." keeps blanks; \n \r \t \" \\ and \xHH (not 00)
 * stand for themselves. words[*out_count] is NULL. INVALID with a reason. */
enum status script_line_split(char *line, char *words[SCRIPT_WORDS_MAX + 1],
                              size_t *out_count, struct error *error) MUST_CHECK;

#endif
