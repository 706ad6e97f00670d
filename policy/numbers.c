/* Doubling, so that pushing is constant on average. The owners know the caps. */
#include "policy/numbers.h"

#include <stdlib.h>

enum status numbers_push(struct numbers *numbers, uint32_t number)
{
    if (numbers->count == numbers->capacity) {
        size_t capacity = numbers->capacity == 0 ? 4 : numbers->capacity * 2;
        uint32_t *items = reallocarray(numbers->items, capacity, sizeof *items);
        if (items == NULL)
            return STATUS_NOMEM;
        numbers->items = items;
        numbers->capacity = capacity;
    }
    numbers->items[numbers->count++] = number;
    return STATUS_OK;
}

void numbers_clear(struct numbers *numbers)
{
    free(numbers->items);
    *numbers = (struct numbers){0};
}
