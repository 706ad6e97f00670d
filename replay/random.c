/* splitmix64 (Steele, Lea, Flood, 2014): one word of state, and any seed will do. */
#include "replay/random.h"

int64_t random_draw(uint64_t *state, int64_t low, int64_t high)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    mixed ^= mixed >> 31;
    uint64_t width = (uint64_t)high - (uint64_t)low + 1;
    return (int64_t)((uint64_t)low + (width == 0 ? mixed : mixed % width));
}
