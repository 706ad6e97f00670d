/* What the lines of Postfix tell, told to the queue. */
#ifndef REPLAY_POSTFIX_LOG_H
#define REPLAY_POSTFIX_LOG_H

#include "replay/log_line.h"

/* True when that program is one of Postfix's; one with a name of its own ("postfix-out",
 * "submission") has a '/' in it, too. */
bool postfix_log_is_by(struct log_slice program);

/* *out_cut becomes true when the line is cut. NOMEM; each's status. */
enum status postfix_log_line(struct log_queue *queue, const struct log_line *line,
                             bool *out_cut) MUST_CHECK;

#endif
