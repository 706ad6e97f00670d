/* The control API, asked for the person at the page: by libcurl over mailbraked's socket.
 */
#ifndef CONSOLE_UPSTREAM_H
#define CONSOLE_UPSTREAM_H

#include "base/text.h"

enum {
    UPSTREAM_ANSWER_MAX = 32 * 1024 * 1024,
    UPSTREAM_LOOK_S = 120,    /* for an answer to a GET */
    UPSTREAM_CHANGE_S = 3600, /* a queue of thousands, released one by one */
};

/* What to ask. Borrowed; NULL where there is none. */
struct upstream_call {
    const char *socket; /* of mailbraked */
    const char *method;
    const char *target; /* "/v1/...", with its parameters, as it goes on the wire */
    const char *purpose;
    const char *progress;  /* X-Progress */
    const char *refresh;   /* X-Refresh */
    const char *on_behalf; /* X-On-Behalf-Of: only mailbrake-console's own user may */
    const char *body;
    size_t length;
};

/* Zero-initialise; clear when done. */
struct upstream_answer {
    unsigned code;
    struct text text; /* JSON */
};

/* Once, before the first call and before there are threads. UNAVAILABLE. */
enum status upstream_init(void) MUST_CHECK;

/* From now on, calls that wait fail within a second or so: what mailbraked is doing it
 * goes on with. For the end of the process. */
void upstream_stop(void);

/* Asks and waits. UNAVAILABLE, with the reason in error, when mailbraked doesn't answer;
 * LIMIT when it answers too much; NOMEM. */
enum status upstream_ask(const struct upstream_call *call, struct upstream_answer *out,
                         struct error *error) MUST_CHECK;
void upstream_answer_clear(struct upstream_answer *answer);

#endif
