/* The look at the MTA's queue before mail is stopped because something is full: what was
 * removed by hand must not count. Mail asks for it and waits a moment; housekeeping has a
 * thread that looks. */
#ifndef QUARANTINE_LOOK_H
#define QUARANTINE_LOOK_H

#include <stdbool.h>
#include <stdint.h>

struct look;

enum {
    LOOK_TRUSTED_MS = 1000, /* for how long a look is fresh */
    LOOK_AHEAD_MS =
        5000, /* the same, of one ahead of a flood, if no later one ends in time */
    LOOK_RETRY_MS = 5000, /* after a failed look, for how long nobody waits; but see
                             base/patience.h */
    LOOK_WAITERS_MAX = 64,
};

enum look_result {
    LOOK_FRESH,   /* there was a look just now: what seems full is full */
    LOOK_UNKNOWN, /* it took too long, or failed */
    LOOK_NONE,    /* no thread of this process looks at the queue */
};

/* NULL without memory. Safe from many threads. */
struct look *look_new(void);
void look_free(struct look *look);

/* For mail: asks for a look unless there was one just now, and waits for it until
 * deadline_us (monotonic) at most. *out_anew says whether one ended meanwhile, so that
 * the caller should check again for room. */
enum look_result look_wait(struct look *look, int64_t deadline_us, bool *out_anew);

/* For mail that will soon be stopped at this rate: asks for a look without waiting. Its
 * result is used if a later look does not end in time. */
void look_ask(struct look *look);

/* For the thread that looks: waits until a look is wanted, timeout_ms at most. After
 * true, look now and call look_finish with the result. The first call ends LOOK_NONE. */
bool look_await(struct look *look, int timeout_ms);
void look_finish(struct look *look, bool ok);

#endif
