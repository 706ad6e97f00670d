/* What the milter would have been told of a message, as far as the log says it. */
#include "logs/log_judge.h"

#include <stdlib.h>

#include "base/clock.h"

enum { MINUTE_MS = 60000 };

void log_judge_clear(struct log_judge *judge)
{
    free(judge->recipients);
    *judge = (struct log_judge){.snapshot = NULL};
}

static bool make_room(struct log_judge *judge, size_t count)
{
    if (count <= judge->recipient_capacity)
        return true;
    size_t capacity = count + count / 2;
    void *larger = realloc(judge->recipients, capacity * sizeof *judge->recipients);
    if (larger == NULL)
        return false;
    judge->recipients = larger;
    judge->recipient_capacity = capacity;
    return true;
}

static void take_time(struct log_judge *judge, int64_t at_ms)
{
    if (judge->minute == at_ms / MINUTE_MS)
        return;
    judge->minute = at_ms / MINUTE_MS;
    judge->minute_of_week = clock_minute_of_week(at_ms);
}

enum status log_judge_message(struct log_judge *judge,
                              const struct mail_log_message *message,
                              struct judgement *out)
{
    if (!make_room(judge, message->recipient_count))
        return STATUS_NOMEM;
    for (size_t i = 0; i < message->recipient_count; i++) {
        const struct mail_log_recipient *recipient = &message->recipients[i];
        judge->recipients[i] =
            (struct envelope_recipient){.typed = recipient->address,
                                        .address = recipient->address,
                                        .mailboxes = recipient->mailboxes};
    }
    const struct envelope envelope = {.client = message->client,
                                      .local = message->local,
                                      .login = message->login,
                                      .sender = message->sender,
                                      .recipients = judge->recipients,
                                      .recipient_count = message->recipient_count,
                                      .queue_id = message->queue_id};
    take_time(judge, message->at_ms);
    const struct engine_input input = {.snapshot = judge->snapshot,
                                       .envelope = &envelope,
                                       .now_ms = message->at_ms,
                                       .minute_of_week = judge->minute_of_week};
    engine_judge(&input, judge->charger, out);
    if (out->status != STATUS_NOMEM)
        return STATUS_OK;
    judgement_clear(out);
    return STATUS_NOMEM;
}
