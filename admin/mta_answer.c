/* A queue id may be another message's by now, so no order moves a message that does not
 * show what was asked for, and none is done before the queue shows it. */
#include "admin/mta_answer.h"

#include <string.h>
#include <strings.h>

#include "base/program.h"

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
static enum status look_before(const struct mta_job *job, const struct mta_order *order,
                               struct mta_message *out)
{
    enum status status = job->mta->look(job, order->queue_id, out);
    if (status == STATUS_OK)
        status = is_meant(order, out, job->error);
    if (status == STATUS_OK && out->held == (order->verb == MTA_HOLD))
        status =
            error_set(job->error, STATUS_IO, "the message is %s, it is in the %s queue",
                      out->held ? "held already" : "not held (any more)", out->queue);
    return status;
}

/* Released mail may be gone or on its way, deleted mail is gone, stopped mail is held. */
static enum status look_after(const struct mta_job *job, const struct mta_order *order)
{
    struct mta_message after = {0};
    enum status status = job->mta->find(job, order->queue_id, &after);
    bool done = order->verb == MTA_HOLD      ? after.held
                : order->verb == MTA_RELEASE ? !after.held
                                             : false;
    if (status == STATUS_NOT_FOUND && order->verb != MTA_HOLD)
        return STATUS_OK;
    if (status != STATUS_OK || done)
        return status;
    return error_set(job->error, STATUS_IO,
                     "the MTA did not do it: the message is in the %s queue",
                     after.queue);
}

static enum status send_notice(const struct mta_job *job, const struct mta_order *order)
{
    const struct program sendmail = {.words = {"/usr/sbin/sendmail", "-C",
                                               job->configuration, "-f",
                                               job->mta->null_sender, "-i", "--"},
                                     .more = order->to,
                                     .input = order->text,
                                     .input_length = order->text_length};
    if (order->to[0] == NULL)
        return STATUS_OK;
    if (order->text_length == 0)
        return error_set(job->error, STATUS_INVALID, "there is no message text");
    return program_run(&sendmail, job->deadline_us, job->error);
}

static enum status move(const struct mta_job *job, const struct mta_order *order)
{
    struct mta_message found = {0};
    enum status status = look_before(job, order, &found);
    if (status == STATUS_OK && order->verb == MTA_REFUSE)
        status = send_notice(job, order);
    if (status == STATUS_OK && order->verb == MTA_RELEASE)
        status = job->mta->release(job, order->queue_id, &found);
    else if (status == STATUS_OK && order->verb == MTA_HOLD)
        status = job->mta->hold(job, order->queue_id);
    else if (status == STATUS_OK)
        status = job->mta->remove(job, order->queue_id);
    mta_message_clear(&found);
    return status == STATUS_OK ? look_after(job, order) : status;
}

static enum status show_marks(const struct mta_job *job, const char *queue_id,
                              struct text *reply)
{
    struct mta_message found = {0};
    enum status status = job->mta->look(job, queue_id, &found);
    if (status == STATUS_OK && found.mark_count > 0)
        text_printf(reply, "%s\n", text_string(&found.marks));
    mta_message_clear(&found);
    return status;
}

enum status mta_answer(const struct mta_job *job, const struct mta_order *order,
                       struct text *reply)
{
    enum status status;
    if (order->verb == MTA_LIST)
        status = job->mta->list(job, reply);
    else if (order->verb == MTA_HEADER)
        status = show_marks(job, order->queue_id, reply);
    else if (order->verb == MTA_NOTICE)
        status = send_notice(job, order);
    else
        status = move(job, order);
    if (status == STATUS_OK && reply->failed)
        status = error_set(job->error, STATUS_LIMIT, "no list, or too long a one");
    return status;
}
