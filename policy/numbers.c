/* Doubling, so that pushing is constant on average. The owners know the caps. */
#include "policy/numbers.h"

#include <stdlib.h>

#include "base/array.h"

enum status numbers_push(struct numbers *numbers, uint32_t number)
{
    if (!array_reserve(&numbers->items, numbers->count, sizeof *numbers->items))
        return STATUS_NOMEM;
    numbers->items[numbers->count++] = number;
    return STATUS_OK;
}

void numbers_clear(struct numbers *numbers)
{
    free(numbers->items);
    *numbers = (struct numbers){0};
}
