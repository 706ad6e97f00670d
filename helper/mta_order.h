/* One order to mailbrake-mta(8), as its protocol writes it. */
#ifndef HELPER_MTA_ORDER_H
#define HELPER_MTA_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "conf/mta_settings.h"

enum {
    MTA_LINE_MAX = 8192,      /* bytes of the line, without its end */
    MTA_TEXT_MAX = 64 * 1024, /* bytes of the message behind it */
    MTA_ADDRESSES_MAX = 20,
    MTA_SENDER_MAX = 1100, /* bytes of the sender in a check */
    MTA_HOLD_ID_MAX = 64,
    MTA_BATCH_MAX = 100,              /* orders on one connection */
    MTA_BATCH_BYTES_MAX = 256 * 1024, /* of their lines */
};

enum mta_verb {
    MTA_LIST,
    MTA_HEADER,
    MTA_ENVELOPE,
    MTA_RECIPIENTS,
    MTA_RELEASE,
    MTA_DELETE,
    MTA_HOLD,
    MTA_REFUSE,
    MTA_NOTICE,
    MTA_QUEUE,
    MTA_CONTENT,
};

/* Borrows from the line. */
struct mta_order {
    enum mta_verb verb;
    const char *name;     /* of the verb, static */
    const char *queue_id; /* NULL where the verb has none */
    const char *hold_id;  /* the message must bear this hold id; or NULL */
    const char *sender;   /* it must have this envelope sender, "" for <>; or NULL */
    const char *arrived;  /* it must have come at this second since 1970; or NULL */
    const char *to[MTA_ADDRESSES_MAX + 1]; /* NULL-terminated; empty: no notice */
    bool whole;                            /* content: more than the Subject */
    bool has_text;                         /* a message text follows the line: */
    const char *text;                      /* the caller's to fill in */
    size_t text_length;
};

/* Cuts the line (length bytes and a NUL behind them) into its words. INVALID with the
 * reason in error; then *out has what was understood, for the log. */
enum status mta_order_parse(char *line, size_t length, enum mta_type type,
                            struct mta_order *out, struct error *error) MUST_CHECK;

/* True for a verb of which several, about as many messages, may come on one connection.
 */
bool mta_order_may_batch(const struct mta_order *order);

#endif
