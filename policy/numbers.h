/* A growing array of numbers: people, lists. The owners know the caps. */
#ifndef POLICY_NUMBERS_H
#define POLICY_NUMBERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/status.h"

/* Zero-initialise; clear when done. */
struct numbers {
    uint32_t *items;
    size_t count;
};

/* NOMEM. */
MUST_CHECK static inline enum status numbers_push(struct numbers *numbers,
                                                  uint32_t number)
{
    if (!array_reserve(&numbers->items, numbers->count, sizeof *numbers->items))
        return STATUS_NOMEM;
    numbers->items[numbers->count++] = number;
    return STATUS_OK;
}

static inline void numbers_clear(struct numbers *numbers)
{
    free(numbers->items);
    *numbers = (struct numbers){0};
}

#endif
