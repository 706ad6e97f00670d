/* Many small strings that live and die together, such as those of one message. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/* Zero-initialise; clear when done. */
struct arena {
    struct arena_block *first; /* newest first */
    size_t used;               /* bytes handed out since the last reset */
};

/* A NUL-terminated copy, valid until reset or clear; NULL when out of memory. */
char *arena_copy(struct arena *arena, const char *data, size_t length);

/* Frees all strings and keeps one block for the next ones. */
void arena_reset(struct arena *arena);
void arena_clear(struct arena *arena);

#endif
