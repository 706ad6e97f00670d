/* The only place that changes a message: our own header field, the hold, the reply. */
#include "milter/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "quarantine/hold_header.h"
#include "store/store.h"

static char hold_header_name[] = HOLD_HEADER_FIELD;

/* X-Mailbrake fields that came with the message would be mistaken for ours in a hold. */
static bool remove_hold_headers(SMFICTX *ctx, const struct session *session)
{
    for (int i = session->envelope.hold_headers; i > 0; i--) {
        if (smfi_chgheader(ctx, hold_header_name, i, NULL) != MI_SUCCESS)
            return false;
    }
    return true;
}

static bool hold(SMFICTX *ctx, const struct decision *decision)
{
    struct hold_header header = {.reach = decision->reach};
    char field[HOLD_HEADER_SIZE];
    char reason[100]; /* Postfix cuts at 100 */
    memcpy(header.id, decision->hold, sizeof header.id);
    memcpy(header.incident, decision->incident, sizeof header.incident);
    memcpy(header.tell, decision->tell, sizeof header.tell);
    (void)snprintf(header.rule, sizeof header.rule, "%.64s", decision->rule);
    hold_header_print(&header, field);
    (void)snprintf(reason, sizeof reason, "mailbrake %.60s, reach %lld", decision->rule,
                   (long long)decision->reach);
    return smfi_addheader(ctx, hold_header_name, field) == MI_SUCCESS &&
           smfi_quarantine(ctx, reason) == MI_SUCCESS;
}

/* smfi_setreply(3) takes a format. */
static void double_percents(const char *text, char *out, size_t size)
{
    size_t used = 0;
    for (; *text != '\0' && used + 2 < size; text++) {
        if (*text == '%')
            out[used++] = '%';
        out[used++] = *text;
    }
    out[used] = '\0';
}

static sfsistat refuse(SMFICTX *ctx, const struct reply *reply)
{
    char code[8];
    char enhanced[8];
    char text[2 * sizeof reply->text];
    (void)snprintf(code, sizeof code, "%d", reply->code);
    (void)snprintf(enhanced, sizeof enhanced, "%s", reply->enhanced);
    double_percents(reply->text, text, sizeof text);
    if (smfi_setreply(ctx, code, enhanced, text) != MI_SUCCESS)
        log_throttled(SEVERITY_ERROR, "libmilter refuses the reply \"%s\"", text);
    return reply->code >= 500 ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

static sfsistat fail(struct decision *decision, const char *why)
{
    decision->action = ACTION_DEFER;
    decision->verdict = "tempfail";
    decision->failure = why;
    return SMFIS_TEMPFAIL;
}

sfsistat answer_apply(SMFICTX *ctx, const struct session *session,
                      struct decision *decision)
{
    switch (decision->action) {
    case ACTION_REJECT:
    case ACTION_DEFER:
        return refuse(ctx, &decision->reply);
    case ACTION_QUARANTINE:
    case ACTION_CONFIRM:
        if (!remove_hold_headers(ctx, session) || !hold(ctx, decision))
            return fail(decision, "the MTA did not take the hold");
        return SMFIS_CONTINUE;
    case ACTION_ACCEPT:
        break;
    }
    if (!decision->keep_hold_headers && !remove_hold_headers(ctx, session))
        return fail(decision, "the MTA did not take a change of the header");
    return SMFIS_CONTINUE;
}

void answer_log(SMFICTX *ctx, const struct session *session,
                const struct decision *decision, int64_t took_us)
{
    char queue_id_macro[] = "i";
    const char *queue_id = smfi_getsymval(ctx, queue_id_macro);
    char buffer[600]; /* most lines fit */
    struct text line = text_on(buffer, sizeof buffer);
    /* A Message-ID often contains its writer's address. */
    bool shown = session->message_id != NULL && !decision->hashed;
    log_field(&line, "mid", shown ? session->message_id : "-");
    log_field(&line, "qid", queue_id == NULL ? "-" : queue_id);
    log_field(&line, "identity", decision->identity);
    log_field(&line, "client", decision->client);
    log_field_number(&line, "rcpts", (int64_t)session->envelope.recipient_count);
    log_field_number(&line, "reach", decision->reach);
    log_field(&line, "rule", decision->rule);
    log_field(&line, "verdict", decision->verdict);
    if (decision->would[0] != '\0')
        log_field(&line, "would", decision->would);
    if (decision->permit[0] != '\0')
        log_field(&line, "permit", decision->permit);
    log_field(&line, "incident",
              decision->incident[0] == '\0' ? "-" : decision->incident);
    log_field(&line, "store",
              decision->source == CHARGE_SOURCE_NONE
                  ? "-"
                  : store_source_name(decision->source));
    log_field_number(&line, "us", took_us);
    log_line(SEVERITY_INFO, &line);
    text_clear(&line);
    if (decision->failure != NULL)
        log_throttled(SEVERITY_WARNING, "a message could not be judged by the rules: %s",
                      decision->failure);
}
