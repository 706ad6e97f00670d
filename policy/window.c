/* Windows that don't matter (factor x copies within the floor) can't raise what is
 * allowed, so they are forgotten: small daily mail does not push out the monthly run, and
 * a key of few copies costs its store nothing once its window is over. A window that
 * fired is forgotten, too: else a runaway could send twice as much each time. */
#include "policy/window.h"

#include <assert.h>
#include <string.h>

bool surge_is_valid(const struct surge *surge)
{
    return surge->factor >= SURGE_FACTOR_MIN && surge->factor <= SURGE_FACTOR_MAX &&
           surge->floor >= 1 && surge->floor <= SURGE_FLOOR_MAX &&
           surge->window_ms >= 1000 && surge->window_ms <= INT64_C(366) * 86400 * 1000;
}

/* The copies that a window after one of so many may hold, rounded down. */
static int64_t multiply(const struct surge *surge, int64_t copies)
{
    return surge->factor * copies / 1000;
}

static bool matters(const struct surge *surge, int64_t copies)
{
    return multiply(surge, copies) > surge->floor;
}

bool window_is_open(const struct window *window)
{
    return window->copies > 0 || window->trained > 0;
}

static int64_t add(int64_t copies, int64_t more)
{
    return more > WINDOW_COPIES_MAX - copies ? WINDOW_COPIES_MAX : copies + more;
}

/* All that went out. */
static int64_t total(const struct window *window)
{
    return add(window->copies, window->trained);
}

static void remember(struct window *window, int64_t end_ms)
{
    if (window->past_count < WINDOW_PAST_MAX)
        window->past_count++;
    memmove(&window->past[1], &window->past[0],
            (window->past_count - 1) * sizeof window->past[0]);
    window->past[0] = (struct window_past){end_ms, total(window)};
}

void window_roll(struct window *window, const struct surge *surge, int64_t now_ms)
{
    size_t kept = 0;
    assert(surge_is_valid(surge));
    if (window->start_ms > now_ms)
        window->start_ms = now_ms;
    if (window_is_open(window) && now_ms - window->start_ms >= surge->window_ms) {
        if (!window->braked && matters(surge, total(window)))
            remember(window, window->start_ms + surge->window_ms);
        window_empty(window);
    }
    for (size_t i = 0; i < window->past_count; i++) {
        struct window_past past = window->past[i];
        if (past.end_ms > now_ms)
            past.end_ms = now_ms;
        if (now_ms - past.end_ms < WINDOW_MEMORY_MS)
            window->past[kept++] = past;
    }
    window->past_count = kept;
}

int64_t window_size(const struct window *window, const struct surge *surge)
{
    int64_t largest = 0;
    for (size_t i = 0; i < window->past_count; i++) {
        if (window->past[i].copies > largest)
            largest = window->past[i].copies;
    }
    int64_t usual = multiply(surge, largest);
    return usual > surge->floor ? usual : surge->floor;
}

int64_t window_left(const struct window *window, const struct surge *surge)
{
    int64_t left = window_size(window, surge) - window->copies;
    return left > 0 ? left : 0;
}

void window_empty(struct window *window)
{
    window->copies = 0;
    window->trained = 0;
    window->braked = false;
}

void window_brake(struct window *window)
{
    window->braked = window_is_open(window);
}

void window_announce(struct window *window, int64_t cost, int64_t now_ms)
{
    assert(cost >= 0);
    if (!window_is_open(window))
        window->start_ms = now_ms;
    window->trained = add(window->trained, cost);
}

void window_train(struct window *window, int64_t cost, int64_t now_ms)
{
    window_announce(window, cost, now_ms);
    window->braked = false;
}

void window_count(struct window *window, int64_t cost, int64_t now_ms)
{
    assert(cost >= 0);
    if (cost == 0)
        return;
    if (!window_is_open(window))
        window->start_ms = now_ms;
    window->copies = add(window->copies, cost);
}
