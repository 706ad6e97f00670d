/* Blocks filled from the front, the first one small, since most arenas stay so; what is
 * larger than a block gets one of its own. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 640, BLOCK_BYTES = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    char data[];
};

/* A block with room for a string of this length. */
static struct arena_block *add_block(struct arena *arena, size_t length)
{
    if (length >= SIZE_MAX - sizeof(struct arena_block))
        return NULL;
    size_t size = arena->first == NULL ? FIRST_BYTES : BLOCK_BYTES;
    if (length >= size)
        size = length + 1;
    struct arena_block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    *block = (struct arena_block){.next = arena->first, .size = size};
    arena->first = block;
    return block;
}

char *arena_copy(struct arena *arena, const char *data, size_t length)
{
    struct arena_block *block = arena->first;
    if (block == NULL || block->size - block->used <= length)
        block = add_block(arena, length);
    if (block == NULL)
        return NULL;
    char *copy = block->data + block->used;
    memcpy(copy, data, length);
    copy[length] = '\0';
    block->used += length + 1;
    arena->used += length + 1;
    return copy;
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = arena->first;
    if (kept == NULL)
        return;
    free_blocks(kept->next);
    kept->next = NULL;
    kept->used = 0;
    arena->used = 0;
    if (kept->size > BLOCK_BYTES) {
        free(kept);
        arena->first = NULL;
    }
}

void arena_clear(struct arena *arena)
{
    free_blocks(arena->first);
    *arena = (struct arena){0};
}
