/* A cell with one key alone gives it away; taking it out of its other cells leaves more
 * such cells. */
#include "base/sketch.h"

/* The finalizer of SplitMix64. */
static uint64_t mix(uint64_t key)
{
    key += UINT64_C(0x9e3779b97f4a7c15);
    key = (key ^ (key >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    key = (key ^ (key >> 27)) * UINT64_C(0x94d049bb133111eb);
    return key ^ (key >> 31);
}

size_t sketch_cells(size_t keys)
{
    size_t cells = SKETCH_PARTS * (keys + 2);
    return cells < SKETCH_CELLS_MAX ? cells : SKETCH_CELLS_MAX;
}

static struct sketch_cell *cell_of(struct sketch *sketch, uint64_t key, size_t part)
{
    size_t size = sketch->cell_count / SKETCH_PARTS;
    return &sketch->cells[part * size + (size_t)(mix(key + part) % size)];
}

void sketch_add(struct sketch *sketch, uint64_t key, int count)
{
    for (size_t part = 0; part < SKETCH_PARTS; part++) {
        struct sketch_cell *cell = cell_of(sketch, key, part);
        cell->count += count;
        cell->keys ^= key;
        cell->checks ^= (uint32_t)mix(~key);
    }
}

static bool is_pure(const struct sketch_cell *cell)
{
    return (cell->count == 1 || cell->count == -1) &&
           cell->checks == (uint32_t)mix(~cell->keys);
}

bool sketch_take(struct sketch *sketch, uint64_t *out_key, int *out_count)
{
    for (size_t i = 0; i < sketch->cell_count; i++) {
        const struct sketch_cell *cell = &sketch->cells[i];
        if (!is_pure(cell))
            continue;
        *out_key = cell->keys;
        *out_count = (int)cell->count;
        sketch_add(sketch, *out_key, -*out_count);
        return true;
    }
    return false;
}

bool sketch_is_empty(const struct sketch *sketch)
{
    for (size_t i = 0; i < sketch->cell_count; i++) {
        const struct sketch_cell *cell = &sketch->cells[i];
        if (cell->count != 0 || cell->keys != 0 || cell->checks != 0)
            return false;
    }
    return true;
}
