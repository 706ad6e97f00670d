/* What a fuzzer of ours is: libFuzzer calls it with any bytes; a false claim stops it. */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says which one was false: an inlined call has no line in the trace. */
#define claim(holds) claim_that((holds), #holds, __FILE__, __LINE__)

static inline void claim_that(int holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    (void)fprintf(stderr, "%s:%d: false: %s\n", file, line, what);
    abort();
}

#endif
