/* The window of a surge: how many copies a key sent since its window opened, and the past
 * windows that say how many are usual. Integers only. The same arithmetic is in
 * store/charge.lua; test/vectors/window.txt runs against both. */
#ifndef POLICY_WINDOW_H
#define POLICY_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 1000 <= factor <= 10^6; 1 <= floor <= 10^9; 1 s <= window <= 366 d. */
struct surge {
    int64_t factor; /* thousandths: 2000 lets twice the usual pass */
    int64_t floor;  /* copies in a window that always pass */
    int64_t window_ms;
};

#define SURGE_FACTOR_MIN INT64_C(1000)
#define SURGE_FACTOR_MAX INT64_C(1000000)
#define SURGE_FLOOR_MAX INT64_C(1000000000)
#define WINDOW_MEMORY_MS (INT64_C(400) * 86400 * 1000)

/* Larger counts are cut to this: factor x copies stays below 2^53. */
#define WINDOW_COPIES_MAX INT64_C(1000000000)

enum { WINDOW_PAST_MAX = 8 };

/* A window that is over, and that mattered: factor x copies was over the floor. */
struct window_past {
    int64_t end_ms;
    int64_t copies;
};

struct window {
    int64_t start_ms; /* of its first message; none is open without copies and trained */
    int64_t copies;   /* that count against its size */
    int64_t trained;  /* let pass by an administrator: they take no room */
    bool braked;      /* it fired: its copies are not usual, and are forgotten */
    size_t past_count;
    struct window_past past[WINDOW_PAST_MAX]; /* newest first */
};

bool surge_is_valid(const struct surge *surge);

/* Closes the window if it is over at now_ms, and forgets past ones that ended over
 * WINDOW_MEMORY_MS ago. After a step back of the clock nothing lies in the future. */
void window_roll(struct window *window, const struct surge *surge, int64_t now_ms);

/* How many copies one window may hold: max(floor, factor x the largest past one). */
int64_t window_size(const struct window *window, const struct surge *surge);

/* What a rolled window has left, at least 0. */
int64_t window_left(const struct window *window, const struct surge *surge);

/* Forgets what the open window counted; the past stays. */
void window_empty(struct window *window);

/* Marks the open window as fired: it trains nothing, until window_train. */
void window_brake(struct window *window);

bool window_is_open(const struct window *window);

/* Counts copies that an administrator let pass: they take no room from others, and the
 * window counts as usual. */
void window_train(struct window *window, int64_t cost, int64_t now_ms);

/* Counts copies that a permit let pass: as window_train, but one that fired stays so. */
void window_announce(struct window *window, int64_t cost, int64_t now_ms);

/* Counts cost (>= 0) copies at now_ms, whether there is room or not. */
void window_count(struct window *window, int64_t cost, int64_t now_ms);

#endif
