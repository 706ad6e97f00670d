/* The look at the MTA's queue before mail is stopped because something is full: what was
 * removed by hand must not count. Mail asks for it and waits a moment; housekeeping has a
 * thread that looks. */
#ifndef QUARANTINE_LOOK_H
#define QUARANTINE_LOOK_H

#include <stdbool.h>
#include <stdint.h>

struct look;

enum {
    LOOK_TRUSTED_MS = 1000, /* so long is a look good for all that is said to be full */
    LOOK_AHEAD_MS = 5000,   /* and one ahead of a flood, while no other is done in time */
    LOOK_RETRY_MS = 5000,   /* after one that failed nobody waits for so long */
    LOOK_WAITERS_MAX = 64,
};

enum look_result {
    LOOK_FRESH,   /* somebody has looked just now: what is full, is */
    LOOK_UNKNOWN, /* it took too long, or failed */
    LOOK_NONE,    /* nobody here looks at a queue */
};

/* NULL without memory. Safe from many threads. */
struct look *look_new(void);
void look_free(struct look *look);

/* For mail: asks for a look unless there was one just now, and waits for it until
 * deadline_us (monotonic) at most. *out_anew says whether one ended meanwhile, so that it
 * is worth while to ask again whether there is room. */
enum look_result look_wait(struct look *look, int64_t deadline_us, bool *out_anew);

/* For mail that will soon be stopped, at this rate: asks for a look, and does not wait.
 * It serves while a later one is not done in time, and never instead of one. */
void look_ask(struct look *look);

/* For who looks: waits until somebody asks, timeout_ms at most; true: look now, and say
 * how that went. From the first call on LOOK_NONE is over. */
bool look_await(struct look *look, int timeout_ms);
void look_finish(struct look *look, bool ok);

#endif
