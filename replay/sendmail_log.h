/* What the lines of Sendmail tell, told to the queue. */
#ifndef REPLAY_SENDMAIL_LOG_H
#define REPLAY_SENDMAIL_LOG_H

#include "replay/log_line.h"

/* Who has logged in over which connection. */
struct sendmail_log;

/* NULL without memory. */
struct sendmail_log *sendmail_log_new(struct log_queue *queue);
void sendmail_log_free(struct sendmail_log *log);

/* True when that program is Sendmail by one of its usual names. */
bool sendmail_log_is_by(struct log_slice program);

/* *out_cut becomes true when the line is cut. NOMEM; each's status. */
enum status sendmail_log_line(struct sendmail_log *log, const struct log_line *line,
                              bool *out_cut) MUST_CHECK;

#endif
