/* How often a job waits for something that may hang: in vain once a minute at most. */
#ifndef BASE_PATIENCE_H
#define BASE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PATIENCE_LONG_MS = 4000, /* what fails sooner does not hang, and may be tried again */
    PATIENCE_REST_MS = 60 * 1000,
};

/* Zero-initialise. One job's, or under its lock. */
struct patience {
    int64_t rests_until_us; /* monotonic */
};

/* Whether the job may wait now. */
bool patience_is_left(const struct patience *patience);

/* The job has waited from began_us (monotonic) till now: in vain, or not. */
void patience_note(struct patience *patience, int64_t began_us, bool in_vain);

#endif
