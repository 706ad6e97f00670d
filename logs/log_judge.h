/* The messages of old logs, judged as live mail is, at the time of the log. */
#ifndef LOGS_LOG_JUDGE_H
#define LOGS_LOG_JUDGE_H

#include "engine/engine.h"
#include "replay/mail_log.h"

/* Zero-initialise but for the first three; clear when done. */
struct log_judge {
    const struct snapshot *snapshot;
    const struct charger *charger;
    int64_t minute; /* since 1970, that minute_of_week belongs to; -1 at first */
    struct envelope_recipient *recipients; /* of the message at hand */
    size_t recipient_capacity;
    int minute_of_week;
};

void log_judge_clear(struct log_judge *judge);

/* What is set by hand now, permits and brakes, does not count. *out borrows from message,
 * and is cleared by the caller. NOMEM: *out is empty. */
enum status log_judge_message(struct log_judge *judge,
                              const struct mail_log_message *message,
                              struct judgement *out) MUST_CHECK;

#endif
