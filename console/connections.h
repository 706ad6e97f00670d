/* The connections of the page's server, so that nobody keeps it busy: each request must
 * be there, and each answer be taken, within a time, and a newcomer has the place of
 * whoever has been idle longest. */
#ifndef CONSOLE_CONNECTIONS_H
#define CONSOLE_CONNECTIONS_H

#include <stdint.h>

enum {
    CONNECTIONS_MAX = 128,      /* past that, the one that has been idle longest goes */
    CONNECTIONS_ROOM = 512,     /* open descriptors, also of those that are going */
    CONNECTIONS_RECEIVE_S = 10, /* from one answer to the next request, or to its end */
    CONNECTIONS_SEND_S = 120,   /* for taking an answer */
};

enum connection_state {
    CONNECTION_FREE,
    CONNECTION_RECEIVES, /* nothing, or a part of a request */
    CONNECTION_WORKS,    /* we are to answer: as long as it takes */
    CONNECTION_SENDS,
    CONNECTION_ENDS, /* shut down; the server will close it */
};

struct connections;

/* NULL without memory. */
struct connections *connections_new(void);
void connections_free(struct connections *connections);

/* A new connection; a full table shuts another one down, or this. */
void connections_open(struct connections *connections, int fd, int64_t now_us);

/* What fd does from now on; CONNECTION_FREE: it is closed. */
void connections_set(struct connections *connections, int fd, enum connection_state state,
                     int64_t now_us);

/* Shuts down what has taken too long. */
void connections_sweep(struct connections *connections, int64_t now_us);

#endif
