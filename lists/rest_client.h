/* JSON by HTTP from one server, one request after the other. */
#ifndef LISTS_REST_CLIENT_H
#define LISTS_REST_CLIENT_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

/* Sets up libcurl; call once, while there is one thread. UNAVAILABLE. */
enum status rest_client_init(void) MUST_CHECK;

struct rest_client;

/* All borrowed for the client's life. */
struct rest_client_args {
    const char *url;             /* what all paths begin with: http:// or https:// */
    const char *user, *password; /* "": none */
    int64_t request_timeout_ms;  /* of one request */
    int64_t deadline_us;         /* of all of them, monotonic */
};

/* NOMEM is the only failure. */
enum status rest_client_open(const struct rest_client_args *args,
                             struct rest_client **out) MUST_CHECK;
void rest_client_close(struct rest_client *client); /* NULL is allowed */

/* Asks for a path ("/lists?page=1") and gives the answer's JSON, the caller's to decref.
 * INVALID when the server says 400 (Bad Request); UNAVAILABLE for any other answer than a
 * complete 200 with JSON in time; NOMEM. The reason is in error. */
enum status rest_client_get(struct rest_client *client, const char *path, json_t **out,
                            struct error *error) MUST_CHECK;

#endif
