/* Collects a message. Bounded by SESSION_BYTES_MAX and the counts: past them it gets the
 * configured action for doubt, rather than being judged by a part of it. */
#include "milter/session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/text.h"
#include "quarantine/hold_header.h"
#include "quarantine/notices/notice_token.h"

struct session *session_new(void)
{
    return calloc(1, sizeof(struct session));
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    arena_clear(&session->strings);
    free(session->recipients);
    free(session->headers);
    free(session);
}

void session_reset(struct session *session)
{
    arena_reset(&session->strings);
    session->envelope = (struct envelope){0};
    session->message_id = NULL;
}

static const char *keep(struct session *session, const char *string)
{
    if (string == NULL || session->envelope.failure != NULL)
        return NULL;
    size_t length = strlen(string);
    if (length >= SESSION_BYTES_MAX - session->strings.used) {
        session->envelope.failure = "the envelope and header fields are too large";
        return NULL;
    }
    const char *copy = arena_copy(&session->strings, string, length);
    if (copy == NULL)
        session->envelope.failure = "out of memory";
    return copy;
}

/* The argument beside the macro, where the macro alone does not say the domain. */
static const char *keep_argument(struct session *session, const char *address,
                                 const char *argument)
{
    return strchr(address, '@') == NULL ? keep(session, argument) : NULL;
}

void session_mail(struct session *session, char **arguments, const char *address,
                  const char *login)
{
    bool has_address = address != NULL && address[0] != '\0';
    session->envelope.sender = keep(session, has_address ? address : arguments[0]);
    if (has_address)
        session->envelope.sender_argument = keep_argument(session, address, arguments[0]);
    session->envelope.login = keep(session, login);
}

/* All arguments in one string: what Postfix compares to find a recipient typed twice. */
static const char *keep_typed(struct session *session, char **arguments)
{
    if (arguments[1] == NULL)
        return keep(session, arguments[0]);
    struct text joined = {0};
    for (char **argument = arguments; *argument != NULL; argument++) {
        text_add_string(&joined, *argument);
        text_add_string(&joined, " ");
    }
    if (joined.failed)
        session->envelope.failure = "out of memory";
    const char *typed = keep(session, text_string(&joined));
    text_clear(&joined);
    return typed;
}

void session_rcpt(struct session *session, char **arguments, const char *address)
{
    if (session->envelope.recipient_count >= RECIPIENTS_MAX) {
        session->envelope.failure = "too many recipients";
        return;
    }
    if (!array_reserve(&session->recipients, session->envelope.recipient_count,
                       sizeof *session->recipients)) {
        session->envelope.failure = "out of memory";
        return;
    }
    bool has_address = address != NULL && address[0] != '\0';
    const char *typed = keep_typed(session, arguments);
    const char *kept = keep(session, has_address ? address : arguments[0]);
    const char *argument =
        has_address ? keep_argument(session, address, arguments[0]) : NULL;
    if (session->envelope.failure == NULL)
        session->recipients[session->envelope.recipient_count++] =
            (struct envelope_recipient){
                .typed = typed, .address = kept, .argument = argument};
}

void session_header(struct session *session, const char *name, const char *value)
{
    if (strcasecmp(name, HOLD_HEADER_FIELD) == 0)
        session->envelope.hold_headers++;
    if (strcasecmp(name, NOTICE_TOKEN_FIELD) == 0 && session->envelope.token == NULL)
        session->envelope.token = keep(session, value);
    if (!header_is_wanted(name))
        return;
    if (session->envelope.header_count >= SESSION_HEADERS_MAX) {
        session->envelope.failure = "too many header fields";
        return;
    }
    if (!array_reserve(&session->headers, session->envelope.header_count,
                       sizeof *session->headers)) {
        session->envelope.failure = "out of memory";
        return;
    }
    const char *kept_name = keep(session, name);
    const char *kept_value = keep(session, value);
    if (session->envelope.failure != NULL)
        return;
    session->headers[session->envelope.header_count++] =
        (struct header){.name = kept_name, .value = kept_value};
    if (session->message_id == NULL && strcasecmp(name, "Message-ID") == 0)
        session->message_id = kept_value;
}

struct envelope session_envelope(const struct session *session)
{
    struct envelope envelope = session->envelope;
    envelope.client = session->client[0] == '\0' ? NULL : session->client;
    envelope.recipients = session->recipients;
    envelope.headers = session->headers;
    return envelope;
}
