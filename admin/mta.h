/* What mailbrake-mta(8) asks of an MTA: a struct of functions for each. Every order is
 * done by deadline_us (monotonic); the first failure's text is in error. */
#ifndef ADMIN_MTA_H
#define ADMIN_MTA_H

#include <stddef.h>
#include <stdint.h>

#include "admin/mta_message.h"
#include "base/status.h"
#include "base/text.h"

/* One order at work; all borrowed. */
struct mta_job {
    const char *config_directory;
    int64_t deadline_us;
    struct error *error;
};

/* Queue ids come checked (mta_order.h). All return OK, NOT_FOUND (no such message), IO,
 * UNAVAILABLE (deadline), LIMIT or NOMEM. */
struct mta {
    /* One JSON object a line for each message in the queue, and how many. */
    enum status (*list)(const struct mta_job *job, struct text *out, size_t *out_count);
    /* Finds out where a message is: held and queue of out, nothing else. */
    enum status (*find)(const struct mta_job *job, const char *queue_id,
                        struct mta_message *out);
    /* All of out, which is clean before and the caller's to clear. */
    enum status (*look)(const struct mta_job *job, const char *queue_id,
                        struct mta_message *out);
    /* From held to delivered, as soon as the MTA can. */
    enum status (*release)(const struct mta_job *job, const char *queue_id,
                           const struct mta_message *message);
    /* Removes a held message, telling nobody. */
    enum status (*remove)(const struct mta_job *job, const char *queue_id);
    /* Stops a message that is not held. */
    enum status (*hold)(const struct mta_job *job, const char *queue_id);
    /* Sends a message from <> to addresses, NULL-terminated. */
    enum status (*send)(const struct mta_job *job, const char *const *to,
                        const struct text *message);
};

extern const struct mta mta_postfix, mta_sendmail;

#endif
