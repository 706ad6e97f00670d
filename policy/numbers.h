/* A growing array of numbers: people, lists. */
#ifndef POLICY_NUMBERS_H
#define POLICY_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Zero-initialise; clear when done. */
struct numbers {
    uint32_t *items;
    size_t count;
};

enum status numbers_push(struct numbers *numbers, uint32_t number) MUST_CHECK;
void numbers_clear(struct numbers *numbers);

#endif
