/* The page's HTTP server: the files of the page, and below api/ what mailbraked answers.
 */
#ifndef CONSOLE_SERVER_H
#define CONSOLE_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "console/app_files.h"
#include "console/guard.h"
#include "console/web_session.h"

enum {
    SERVER_BODY_MAX = 64 * 1024,
    SERVER_HEADER_MAX = 32 * 1024, /* memory of a connection */
    SERVER_LOOKS_MAX = 8,          /* requests that wait for mailbraked at a time: GET, */
    SERVER_CHANGES_MAX = 8,        /* and others */
};

/* All borrowed, and alive until server_stop. */
struct server_args {
    const struct app_files *files;
    struct guard guard;
    const char *socket; /* of mailbraked */
    /* Whom it serves: one person, who has the session; or, without a session, everybody
     * whom the proxy names in a header field. */
    struct web_session *session;
    uid_t proxy;             /* whose connections are accepted */
    const char *user_header; /* "X-Remote-User" */
};

struct server;

/* Serves on fd, a listening socket, which it takes over if it succeeds. IO or NOMEM. */
enum status server_start(const struct server_args *args, int fd, struct server **out,
                         struct error *error) MUST_CHECK;

/* Ends connections that are too slow; to be called every second or so. */
void server_sweep(struct server *server);

void server_stop(struct server *server);

#endif
