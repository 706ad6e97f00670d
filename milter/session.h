/* What the MTA has said on one connection: copies, made in the callbacks, read at the end
 * of the message. Knows nothing of libmilter, so tests can speak for the MTA. */
#ifndef MILTER_SESSION_H
#define MILTER_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "policy/message.h"

enum {
    SESSION_HEADERS_MAX = 5000,           /* wanted fields of one message */
    SESSION_BYTES_MAX = 16 * 1024 * 1024, /* of all that is kept of one message */
    SESSION_CLIENT_SIZE = 64,
};

struct session {
    /* of the connection */
    char client[SESSION_CLIENT_SIZE]; /* IP address, "" when there is none */
    bool client_is_loopback;
    bool quiet_connect, quiet_mail, quiet_rcpt, quiet_header; /* no reply is expected */

    /* of the message: everything below goes with session_reset */
    struct arena strings;
    struct envelope envelope; /* but for what session_envelope adds */
    const char *message_id;   /* of the log */
    struct envelope_recipient *recipients;
    struct header *headers;
};

/* NULL when out of memory. */
struct session *session_new(void);
void session_free(struct session *session);

/* Forgets the message and keeps the connection. Safe at any time, any number of times. */
void session_reset(struct session *session);

/* The steps of a message. What can't be kept becomes the envelope's failure, never a
 * silent loss. Strings are copied; NULL means that the MTA said nothing. arguments: of
 * MAIL and RCPT, NULL-terminated, at least one. */
void session_mail(struct session *session, char **arguments, const char *address,
                  const char *login);
void session_rcpt(struct session *session, char **arguments, const char *address);
void session_header(struct session *session, const char *name, const char *value);

/* The message as policy sees it; borrows from the session. */
struct envelope session_envelope(const struct session *session);

#endif
