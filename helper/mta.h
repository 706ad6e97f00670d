/* What mailbrake-mta(8) needs of an MTA: a struct of functions for each. All of them take
 * many messages at once, since starting a program costs more than its work. */
#ifndef HELPER_MTA_H
#define HELPER_MTA_H

#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "conf/mta_settings.h"
#include "helper/mta_excerpt.h"
#include "helper/mta_message.h"
#include "helper/mta_order.h"

struct mta;

/* The MTA's settings, read once for a connection; zero before. */
struct mta_setup {
    bool known;
    char queue[4096];    /* folder */
    int64_t lifetime_ms; /* of undeliverable mail */
    bool has_lifetime;
    bool international; /* it takes addresses beyond ASCII (SMTPUTF8) */
};

/* A connection's work; all borrowed. */
struct mta_job {
    const struct mta *mta;
    const char *configuration; /* main.cf's folder, or the path of sendmail.cf */
    int64_t deadline_us;       /* monotonic */
    struct error *error;       /* of a failure that concerns all items */
    struct mta_setup *setup;
    enum content content; /* what may be shown of a message */
};

/* One message's order and its result. */
struct mta_item {
    const struct mta_order *order;
    struct mta_message message; /* the item's creator clears it */
    enum status status;         /* once not OK, the item is skipped */
    struct error error;         /* why */
    bool untold;                /* refused, but its sender could not be written to */
};

/* Queue ids are validated before (mta_order.h). What fails for one message is in its
 * item: NOT_FOUND (no such message) or IO. What fails for all is returned: IO,
 * UNAVAILABLE (deadline), LIMIT or NOMEM. */
struct mta {
    /* Sets the folder of the queue in the setup. */
    enum status (*set_up)(const struct mta_job *job);
    /* One line for each message in the queue, see mta_message_list. */
    enum status (*list)(const struct mta_job *job, struct text *out);
    /* Finds out where messages are: queue, place and held of each, nothing else. */
    enum status (*find)(const struct mta_job *job, struct mta_item *items, size_t count);
    /* All of each message, which is clean before. */
    enum status (*look)(const struct mta_job *job, struct mta_item *items, size_t count);
    /* One message's lines, of a message that was looked at, until there are no more. */
    enum status (*read)(const struct mta_job *job, const struct mta_item *item,
                        struct mta_excerpt *out);
    /* From held to delivered, as soon as the MTA can. */
    enum status (*release)(const struct mta_job *job, struct mta_item *items,
                           size_t count);
    /* Removes held messages, telling nobody. */
    enum status (*remove)(const struct mta_job *job, struct mta_item *items,
                          size_t count);
    /* Stops messages that are not held. */
    enum status (*hold)(const struct mta_job *job, struct mta_item *items, size_t count);
    /* Whether it takes mail to an address that smtp_address_is_valid accepts; false when
     * that is not known. */
    bool (*can_write)(const struct mta_job *job, const char *address);
    /* Whether the MTA expands the recipients of such a message once more when it is
     * released: NULL, never. arrived_s: since 1970. */
    bool (*is_old)(const struct mta_job *job, int64_t arrived_s);
    const char *null_sender; /* <>, as its sendmail(1) takes it after -f */
};

extern const struct mta mta_postfix, mta_sendmail;

#endif
