/* A queue id may belong to another message by now: an order acts only on a message that
 * matches its check, and has succeeded only when the queue shows it. */
#include "helper/mta_answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/program.h"
#include "base/smtp_address.h"

static void fail(struct mta_item *item, enum status status, const char *why)
{
    item->status = error_set(&item->error, status, "%s", why);
}

/* A failure for all becomes that of each item without one. */
static void fail_all(const struct mta_job *job, struct mta_item *items, size_t count,
                     enum status status)
{
    for (size_t i = 0; i < count && status != STATUS_OK; i++) {
        if (items[i].status == STATUS_OK)
            fail(&items[i], status, job->error->text);
    }
}

/* The first item without a failure, else the last one. */
static const struct mta_item *first_left(const struct mta_item *items, size_t count)
{
    while (count > 1 && items->status != STATUS_OK) {
        items++;
        count--;
    }
    return items;
}

static bool is_any_left(const struct mta_item *items, size_t count)
{
    return first_left(items, count)->status == STATUS_OK;
}

/* ---- before ---- */

/* NOT_FOUND when it is another message, IO when that can't be told. */
static void check_hold_header(struct mta_item *item)
{
    const struct mta_message *message = &item->message;
    if (message->hold_header_count > 1)
        fail(item, STATUS_IO, "the message has more than one X-Mailbrake field");
    else if (message->hold_header_count == 0 && message->held)
        fail(item, STATUS_IO, "the message has no X-Mailbrake field");
    else if (!mta_message_bears(message, item->order->hold_id))
        fail(item, STATUS_NOT_FOUND, "it has another hold id");
}

static void check_item(struct mta_item *item)
{
    const struct mta_order *order = item->order;
    const struct mta_message *message = &item->message;
    if (order->sender != NULL && !smtp_address_is_shown(message->sender, order->sender))
        fail(item, STATUS_NOT_FOUND, "it has another sender");
    else if (order->arrived != NULL &&
             strtoll(order->arrived, NULL, 10) != message->arrived_s)
        fail(item, STATUS_NOT_FOUND, "it arrived at another time");
    else if (order->hold_id != NULL)
        check_hold_header(item);
    if (item->status == STATUS_OK && message->held == (order->verb == MTA_HOLD))
        item->status = error_set(
            &item->error, STATUS_IO, "the message is %s, it is in the %s queue",
            message->held ? "held already" : "not held (any more)", message->queue);
}

/* The same message twice in a batch: the second finds it gone. */
static void reject_repeats(struct mta_item *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i && items[i].status == STATUS_OK; j++) {
            if (items[j].status == STATUS_OK &&
                strcmp(items[i].order->queue_id, items[j].order->queue_id) == 0)
                fail(&items[i], STATUS_NOT_FOUND, "it was ordered twice");
        }
    }
}

/* ---- after ---- */

/* Released mail may be gone or on its way, deleted mail is gone, stopped mail is held. */
static bool is_done(const struct mta_item *item, const struct mta_item *after)
{
    enum mta_verb verb = item->order->verb;
    if (after->status == STATUS_NOT_FOUND)
        return verb != MTA_HOLD;
    return (verb == MTA_HOLD && after->message.held) ||
           (verb == MTA_RELEASE && !after->message.held);
}

/* acted: the MTA's result, which counts only if the queue doesn't show success. */
static void check_done(const struct mta_job *job, struct mta_item *item,
                       const struct mta_item *after, enum status acted)
{
    bool looked = after->status == STATUS_OK || after->status == STATUS_NOT_FOUND;
    if (looked && is_done(item, after))
        return;
    if (acted != STATUS_OK)
        fail(item, acted, job->error->text);
    else if (!looked)
        fail(item, after->status, after->error.text);
    else if (after->status == STATUS_NOT_FOUND)
        fail(item, STATUS_NOT_FOUND, "it is not in the queue");
    else
        item->status = error_set(
            &item->error, STATUS_IO,
            "the MTA did not carry out the order: the message is in the %s queue",
            after->message.queue);
}

static void look_after(const struct mta_job *job, struct mta_item *items, size_t count,
                       enum status acted)
{
    struct error failure = {0};
    struct mta_job looking = *job;
    struct mta_item *after = calloc(count, sizeof *after);
    looking.error = acted == STATUS_OK ? job->error : &failure;
    if (after == NULL) {
        fail_all(job, items, count, error_set(job->error, STATUS_NOMEM, "out of memory"));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        after[i].order = items[i].order;
        after[i].status = items[i].status;
    }
    enum status status = job->mta->find(&looking, after, count);
    fail_all(&looking, items, count, status);
    for (size_t i = 0; i < count; i++) {
        if (items[i].status == STATUS_OK)
            check_done(job, &items[i], &after[i], acted);
        mta_message_clear(&after[i].message);
    }
    free(after);
}

/* ---- orders ---- */

static bool can_tell(const struct mta_job *job, const struct mta_order *order)
{
    for (size_t i = 0; order->to[i] != NULL; i++) {
        if (!job->mta->can_write(job, order->to[i]))
            return false;
    }
    return true;
}

static enum status send_notice(const struct mta_job *job, const struct mta_order *order)
{
    const struct program sendmail = {.words = {"/usr/sbin/sendmail", "-C",
                                               job->configuration, "-f",
                                               job->mta->null_sender, "-i", "--"},
                                     .more = order->to,
                                     .input = order->text,
                                     .input_length = order->text_length};
    if (order->text_length == 0)
        return error_set(job->error, STATUS_INVALID, "there is no message text");
    return program_run(&sendmail, job->deadline_us, job->error);
}

/* Notifies the one address of all refusals. If the MTA can't write to it, the messages
 * are refused all the same. */
static enum status tell(const struct mta_job *job, struct mta_item *items, size_t count)
{
    const struct mta_order *order = first_left(items, count)->order;
    const char *to = order->to[0] == NULL ? "" : order->to[0];
    for (size_t i = 0; i < count; i++) {
        const char *other = items[i].order->to[0] == NULL ? "" : items[i].order->to[0];
        if (items[i].status == STATUS_OK && strcmp(to, other) != 0)
            fail(&items[i], STATUS_INVALID, "a batch tells one address");
    }
    if (to[0] == '\0')
        return STATUS_OK;
    if (can_tell(job, order))
        return send_notice(job, order);
    for (size_t i = 0; i < count; i++)
        items[i].untold = true;
    return STATUS_OK;
}

static enum status act(const struct mta_job *job, struct mta_item *items, size_t count)
{
    const struct mta *mta = job->mta;
    enum mta_verb verb = first_left(items, count)->order->verb;
    if (verb == MTA_RELEASE)
        return mta->release(job, items, count);
    if (verb == MTA_HOLD)
        return mta->hold(job, items, count);
    enum status status = verb == MTA_REFUSE ? tell(job, items, count) : STATUS_OK;
    return status == STATUS_OK ? mta->remove(job, items, count) : status;
}

void mta_answer(const struct mta_job *job, struct mta_item *items, size_t count)
{
    enum mta_verb verb = first_left(items, count)->order->verb;
    bool moves = verb != MTA_HEADER && verb != MTA_ENVELOPE && verb != MTA_RECIPIENTS;
    for (size_t i = 0; i < count; i++)
        items[i].message.wants_addresses = verb == MTA_RECIPIENTS;
    fail_all(job, items, count, job->mta->look(job, items, count));
    for (size_t i = 0; i < count && verb == MTA_RECIPIENTS; i++)
        items[i].message.old = job->mta->is_old != NULL && items[i].status == STATUS_OK &&
                               job->mta->is_old(job, items[i].message.arrived_s);
    if (!moves)
        return;
    for (size_t i = 0; i < count; i++) {
        if (items[i].status == STATUS_OK)
            check_item(&items[i]);
    }
    reject_repeats(items, count);
    if (!is_any_left(items, count))
        return;
    look_after(job, items, count, act(job, items, count));
}

/* Only of a held message that is surely the one that is meant. */
static enum status show_content(const struct mta_job *job, const struct mta_order *order,
                                struct text *reply)
{
    struct mta_item item = {.order = order};
    struct mta_excerpt excerpt = {.out = reply, .whole = order->whole};
    if (job->content == CONTENT_NONE || (order->whole && job->content != CONTENT_TEXT))
        return error_set(job->error, STATUS_INVALID, "quarantine.content is \"%s\"",
                         mta_settings_contents[job->content]);
    fail_all(job, &item, 1, job->mta->look(job, &item, 1));
    if (item.status == STATUS_OK)
        check_item(&item);
    if (item.status != STATUS_OK)
        (void)error_set(job->error, item.status, "%s", item.error.text);
    else
        item.status = job->mta->read(job, &item, &excerpt);
    mta_excerpt_end(&excerpt);
    mta_message_clear(&item.message);
    return reply->failed ? error_set(job->error, STATUS_NOMEM, "out of memory")
                         : item.status;
}

/* For Sendmail's queue groups ("/var/spool/mqueue/q*"), their parent folder. */
static enum status name_queue(const struct mta_job *job, struct text *reply)
{
    enum status status = job->mta->set_up(job);
    if (status != STATUS_OK)
        return status;
    const char *queue = job->setup->queue;
    const char *end = queue + strcspn(queue, "*?[");
    while (*end != '\0' && *end != '/')
        end--;
    text_add(reply, queue, (size_t)(end - queue));
    text_add_string(reply, "\n");
    return STATUS_OK;
}

enum status mta_answer_alone(const struct mta_job *job, const struct mta_order *order,
                             struct text *reply)
{
    if (order->verb == MTA_NOTICE && !can_tell(job, order))
        return error_set(job->error, STATUS_INVALID,
                         "the MTA sends nothing to such an address");
    if (order->verb == MTA_NOTICE)
        return send_notice(job, order);
    if (order->verb == MTA_QUEUE)
        return name_queue(job, reply);
    if (order->verb == MTA_CONTENT)
        return show_content(job, order, reply);
    enum status status = job->mta->list(job, reply);
    if (status == STATUS_OK && reply->failed)
        status =
            error_set(job->error, STATUS_LIMIT, "the list can't be read, or is too long");
    return status;
}
