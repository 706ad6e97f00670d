/* What mailbrake-mta(8) asks of an MTA: a struct of functions for each. */
#ifndef ADMIN_MTA_H
#define ADMIN_MTA_H

#include <stdint.h>

#include "admin/mta_message.h"
#include "base/status.h"
#include "base/text.h"

struct mta;

/* One order at work; all borrowed. */
struct mta_job {
    const struct mta *mta;
    const char *configuration; /* main.cf's folder, or the path of sendmail.cf */
    int64_t deadline_us;       /* monotonic */
    struct error *error;       /* gets the first failure's text */
};

/* Queue ids come checked (mta_order.h). All return OK, NOT_FOUND (no such message), IO,
 * UNAVAILABLE (deadline), LIMIT or NOMEM. */
struct mta {
    /* One line for each message in the queue, see mta_message_list. */
    enum status (*list)(const struct mta_job *job, struct text *out);
    /* Finds out where a message is: queue and held of out, nothing else. */
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
    const char *null_sender; /* <>, as its sendmail(1) wants it behind -f */
};

extern const struct mta mta_postfix, mta_sendmail;

#endif
