/* The session of the person who typed `mailbrake console`: a token that is good once, and
 * the cookie that it is exchanged for. */
#ifndef CONSOLE_WEB_SESSION_H
#define CONSOLE_WEB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

enum {
    WEB_SESSION_SECRET_SIZE = 2 * (DIGEST_ID_SIZE - 1) + 1
}; /* 128 random bits in hex */

struct web_session;

/* NULL without memory. digest_init comes first. */
struct web_session *web_session_new(void);
void web_session_free(struct web_session *session);

/* The token, until it is exchanged. Borrowed. */
const char *web_session_token(const struct web_session *session);

/* Exchanges the token for the cookie's value. False when it is another one, or was used
 * before. */
bool web_session_exchange(struct web_session *session, const char *token,
                          char out_cookie[WEB_SESSION_SECRET_SIZE]);

/* Whether this is the cookie's value, and the token has been exchanged. */
bool web_session_has(struct web_session *session, const char *cookie);

/* A person has done something, at this monotonic time in us; and when one last did. */
void web_session_touch(struct web_session *session, int64_t now_us);
int64_t web_session_touched_us(struct web_session *session);

#endif
