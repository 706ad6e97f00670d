/* Secrets are compared in constant time. */
#include "console/web_session.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct web_session {
    char token[WEB_SESSION_SECRET_SIZE];
    char cookie[WEB_SESSION_SECRET_SIZE];
    pthread_mutex_t mutex; /* guards the two below */
    bool exchanged;
    int64_t touched_us;
};

static void make_secret(char out[WEB_SESSION_SECRET_SIZE])
{
    digest_random_id(out);
    digest_random_id(out + DIGEST_ID_SIZE - 1);
}

struct web_session *web_session_new(void)
{
    struct web_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    make_secret(session->token);
    make_secret(session->cookie);
    session->touched_us = clock_monotonic_us();
    (void)pthread_mutex_init(&session->mutex, NULL);
    return session;
}

void web_session_free(struct web_session *session)
{
    if (session == NULL)
        return;
    (void)pthread_mutex_destroy(&session->mutex);
    free(session);
}

const char *web_session_token(const struct web_session *session)
{
    return session->token;
}

bool web_session_exchange(struct web_session *session, const char *token,
                          char out_cookie[WEB_SESSION_SECRET_SIZE])
{
    bool good = token != NULL && digest_secrets_match(token, session->token);
    (void)pthread_mutex_lock(&session->mutex);
    good = good && !session->exchanged;
    session->exchanged = session->exchanged || good;
    (void)pthread_mutex_unlock(&session->mutex);
    if (good)
        memcpy(out_cookie, session->cookie, sizeof session->cookie);
    return good;
}

bool web_session_has(struct web_session *session, const char *cookie)
{
    (void)pthread_mutex_lock(&session->mutex);
    bool exchanged = session->exchanged;
    (void)pthread_mutex_unlock(&session->mutex);
    return exchanged && cookie != NULL && digest_secrets_match(cookie, session->cookie);
}

void web_session_touch(struct web_session *session, int64_t now_us)
{
    (void)pthread_mutex_lock(&session->mutex);
    session->touched_us = now_us;
    (void)pthread_mutex_unlock(&session->mutex);
}

int64_t web_session_touched_us(struct web_session *session)
{
    (void)pthread_mutex_lock(&session->mutex);
    int64_t touched_us = session->touched_us;
    (void)pthread_mutex_unlock(&session->mutex);
    return touched_us;
}
