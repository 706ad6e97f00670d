/* The growable array: room for eight items, then for the next power of two, so the count
 * alone says when it is full. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Makes room for one more item after count items of size bytes each. items is the
 * address of the pointer to the first one, which starts as NULL and is freed with
 * free(3); only this function may allocate it. False, and everything as before, when
 * memory is short. */
bool array_reserve(void *items, size_t count, size_t size) MUST_CHECK;

#endif
