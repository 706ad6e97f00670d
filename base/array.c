/* The array is full at eight items, and at each power of two after that. The caller's
 * pointer may be of any type, so it is copied instead of cast. */
#include "base/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 8 };

bool array_reserve(void *items, size_t count, size_t size)
{
    void *old;
    if (count > 0 && (count < FIRST || (count & (count - 1)) != 0))
        return true;
    if (count > SIZE_MAX / 2 / size)
        return false;
    memcpy(&old, items, sizeof old);
    void *grown = realloc(old, (count == 0 ? FIRST : 2 * count) * size);
    if (grown == NULL)
        return false;
    memcpy(items, &grown, sizeof grown);
    return true; /* cppcheck-suppress memleak ; the caller has it now */
}
