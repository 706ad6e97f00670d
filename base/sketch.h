/* A set of 64-bit keys in little room, from which the set, or its difference from another
 * one, can be read as long as that is small. An invertible Bloom lookup table:
 * Goodrich and Mitzenmacher, "Invertible Bloom Lookup Tables" (2011). */
#ifndef BASE_SKETCH_H
#define BASE_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SKETCH_CELLS_MAX = 120, /* surely enough for 40 keys, nearly surely for 60 */
    SKETCH_PARTS = 3,       /* a key is in one cell of each part */
};

struct sketch_cell {
    int64_t count;
    uint64_t keys; /* of all keys in it, xor */
    uint32_t checks;
};

/* Zero-initialise, and set cell_count: a multiple of SKETCH_PARTS up to the maximum. */
struct sketch {
    size_t cell_count;
    struct sketch_cell cells[SKETCH_CELLS_MAX];
};

/* How many cells a set of that size is worth. */
size_t sketch_cells(size_t keys);

/* Adds a key that is as good as random, or with count -1 takes it out. */
void sketch_add(struct sketch *sketch, uint64_t key, int count);

/* Takes one key out of the sketch, and writes it and whether it was there (1) or is
 * missing (-1). False when none is left, or none can be read: sketch_is_empty says
 * which. */
bool sketch_take(struct sketch *sketch, uint64_t *out_key, int *out_count);
bool sketch_is_empty(const struct sketch *sketch);

#endif
