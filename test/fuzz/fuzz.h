/* What a fuzzer of ours is: libFuzzer calls it with any bytes; a false claim stops it. */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void claim(int holds)
{
    if (!holds)
        abort();
}

#endif
