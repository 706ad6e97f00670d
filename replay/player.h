/* Plays a scenario: its messages one after the other, in the order of their times, each
 * as the MTA's side would hand it over. The same every time. */
#ifndef REPLAY_PLAYER_H
#define REPLAY_PLAYER_H

#include "policy/message.h"
#include "replay/scenario.h"

struct player;

struct played {
    int64_t number; /* from 1 */
    int64_t at_ms;  /* wall time */
    size_t tag;
    struct envelope envelope; /* borrowed until the next message */
};

/* scenario is borrowed. NULL without memory. */
struct player *player_new(const struct scenario *scenario);
void player_free(struct player *player); /* NULL is allowed */

/* The next message; NOT_FOUND at the end, INVALID (with file and line) when it can't be
 * made, NOMEM. */
enum status player_next(struct player *player, struct played *out,
                        struct error *error) MUST_CHECK;

#endif
