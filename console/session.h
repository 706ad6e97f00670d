/* The session of the person who typed `mailbrake console`: a token that is good once, and
 * the cookie that it is exchanged for. */
#ifndef CONSOLE_SESSION_H
#define CONSOLE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

enum { SESSION_SECRET_SIZE = 2 * (DIGEST_ID_SIZE - 1) + 1 }; /* 128 random bits in hex */

struct session;

/* NULL without memory. digest_init comes first. */
struct session *session_new(void);
void session_free(struct session *session);

/* The token, until it is exchanged. Borrowed. */
const char *session_token(const struct session *session);

/* Exchanges the token for the cookie's value. False when it is another one, or was used
 * before. */
bool session_exchange(struct session *session, const char *token,
                      char out_cookie[SESSION_SECRET_SIZE]);

/* Whether this is the cookie's value, and the token has been exchanged. */
bool session_has(struct session *session, const char *cookie);

/* A person has done something, at this monotonic time in us; and when one last did. */
void session_touch(struct session *session, int64_t now_us);
int64_t session_touched_us(struct session *session);

#endif
