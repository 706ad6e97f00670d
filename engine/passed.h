/* The limit that a stopped message exceeded, in words for people. */
#ifndef ENGINE_PASSED_H
#define ENGINE_PASSED_H

#include "policy/judge.h"

enum { PASSED_SIZE = 200 };

/* Writes the limit to out ("1000 recipients per 1h, burst 2000", "reach over 50"), and
 * returns how many copies, messages or clients it had let pass before this one; -1 when
 * it counts none. */
int64_t passed_describe(const struct verdict *verdict, char out[PASSED_SIZE]);

#endif
