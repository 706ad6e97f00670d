/* Is work on a text of one piece, over and over, linear in its length? */
#ifndef TEST_LINEAR_H
#define TEST_LINEAR_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* AddressSanitizer's own look at strings is not linear. */
#ifdef __SANITIZE_ADDRESS__
enum { LINEAR_BYTES = 1 << 17, LINEAR_TIMES = 16 };
#else
enum { LINEAR_BYTES = 1 << 19, LINEAR_TIMES = 16 };
#endif

static inline clock_t linear_time(void (*work)(const char *text), const char *piece,
                                  size_t bytes)
{
    size_t length = strlen(piece);
    char *text = malloc(bytes + 1);
    ck_assert_ptr_nonnull(text);
    for (size_t at = 0; at < bytes; at++)
        text[at] = piece[at % length];
    text[bytes] = '\0';
    clock_t start = clock();
    work(text);
    clock_t took = clock() - start;
    free(text);
    return took;
}

/* Sixteen times as much takes about sixteen times as long; quadratic work 256 times. The
 * best of three counts, for the machine may be busy with something else. */
static inline void linear_check(void (*work)(const char *text), const char *piece)
{
    clock_t few = 0;
    clock_t many = 0;
    for (int i = 0; i < 3; i++) {
        few = linear_time(work, piece, LINEAR_BYTES / LINEAR_TIMES);
        many = linear_time(work, piece, LINEAR_BYTES);
        if (many <= 4 * LINEAR_TIMES * few + CLOCKS_PER_SEC / 5)
            return;
    }
    ck_abort_msg("%ld for one, %ld for %d times as much", (long)few, (long)many,
                 LINEAR_TIMES);
}

#endif
