/* A queue id may be another message's by now, so no order moves a message that does not
 * show what was asked for, and none is done before the queue shows it. */
#include "admin/mta_answer.h"

#include <string.h>
#include <strings.h>

enum { FAILURE_MAX = 300 };

/* NOT_FOUND when it is another message, IO when that can't be told. */
static enum status is_meant(const struct mta_order *order,
                            const struct mta_message *message, struct error *error)
{
    if (order->sender != NULL) {
        bool same = strcasecmp(order->sender, message->sender) == 0;
        return same ? STATUS_OK
                    : error_set(error, STATUS_NOT_FOUND, "it has another sender");
    }
    if (message->mark_count > 1 || (message->mark_count == 0 && message->held))
        return error_set(error, STATUS_IO, "the message bears %s X-Mailbrake field",
                         message->mark_count == 0 ? "no" : "more than one");
    return mta_message_bears(message, order->mark)
               ? STATUS_OK
               : error_set(error, STATUS_NOT_FOUND, "it bears another mark");
}

/* The message that is meant, where the order wants it. */
static enum status look_before(const struct mta *mta, const struct mta_job *job,
                               const struct mta_order *order, struct mta_message *out)
{
    enum status status = mta->look(job, order->queue_id, out);
    if (status == STATUS_OK)
        status = is_meant(order, out, job->error);
    if (status == STATUS_OK && out->held == (order->verb == MTA_HOLD))
        status =
            error_set(job->error, STATUS_IO, "the message is %s, it is in the %s queue",
                      out->held ? "held already" : "not held (any more)", out->queue);
    return status;
}

static enum status look_after(const struct mta *mta, const struct mta_job *job,
                              const struct mta_order *order)
{
    struct mta_message after = {0};
    enum status status = mta->find(job, order->queue_id, &after);
    bool gone = status == STATUS_NOT_FOUND;
    if (gone && order->verb != MTA_HOLD)
        status = STATUS_OK;
    else if (status == STATUS_OK &&
             (order->verb == MTA_DELETE || order->verb == MTA_REFUSE ||
              after.held != (order->verb == MTA_HOLD)))
        status = error_set(job->error, STATUS_IO,
                           "the MTA did not do it: the message is in the %s queue",
                           after.queue);
    return status;
}

static enum status send_notice(const struct mta *mta, const struct mta_job *job,
                               const struct mta_order *order, const struct text *message)
{
    if (order->to[0] == NULL)
        return STATUS_OK;
    if (message->length == 0)
        return error_set(job->error, STATUS_INVALID, "there is no message text");
    return mta->send(job, order->to, message);
}

static enum status move(const struct mta *mta, const struct mta_job *job,
                        const struct mta_order *order, const struct text *message)
{
    struct mta_message found = {0};
    enum status status = look_before(mta, job, order, &found);
    if (status == STATUS_OK && order->verb == MTA_REFUSE)
        status = send_notice(mta, job, order, message);
    if (status == STATUS_OK && order->verb == MTA_RELEASE)
        status = mta->release(job, order->queue_id, &found);
    else if (status == STATUS_OK && order->verb == MTA_HOLD)
        status = mta->hold(job, order->queue_id);
    else if (status == STATUS_OK)
        status = mta->remove(job, order->queue_id);
    mta_message_clear(&found);
    return status == STATUS_OK ? look_after(mta, job, order) : status;
}

static enum status show_marks(const struct mta *mta, const struct mta_job *job,
                              const struct mta_order *order, struct text *reply)
{
    struct mta_message found = {0};
    enum status status = mta->look(job, order->queue_id, &found);
    if (status == STATUS_OK && found.mark_count > 0)
        text_printf(reply, "%s\n", text_string(&found.marks));
    mta_message_clear(&found);
    return status;
}

void mta_answer_fail(struct text *reply, const char *text)
{
    text_add_string(reply, "error ");
    for (size_t i = 0; text[i] != '\0' && i < FAILURE_MAX; i++)
        text_add(reply, text[i] < ' ' || text[i] > '~' ? "?" : text + i, 1);
    text_add_string(reply, "\n");
}

void mta_answer(const struct mta *mta, const struct mta_job *job,
                const struct mta_order *order, const struct text *message,
                struct text *reply)
{
    size_t count = 0;
    enum status status;
    if (order->verb == MTA_LIST)
        status = mta->list(job, reply, &count);
    else if (order->verb == MTA_HEADER)
        status = show_marks(mta, job, order, reply);
    else if (order->verb == MTA_NOTICE)
        status = send_notice(mta, job, order, message);
    else
        status = move(mta, job, order, message);

    if (status != STATUS_OK)
        text_reset(reply);
    if (status == STATUS_OK && order->verb == MTA_LIST)
        text_printf(reply, "ok %zu\n", count);
    else if (status == STATUS_OK)
        text_add_string(reply, "ok\n");
    else if (status == STATUS_NOT_FOUND)
        text_add_string(reply, "missing\n");
    else
        mta_answer_fail(reply, job->error->text);
}
