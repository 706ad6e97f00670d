/* Random numbers that are the same in each replay. */
#ifndef REPLAY_RANDOM_H
#define REPLAY_RANDOM_H

#include <stdint.h>

/* The next whole number of a state, from low to high, both included. */
int64_t random_draw(uint64_t *state, int64_t low, int64_t high);

#endif
