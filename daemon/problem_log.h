/* Problems and errors as lines of the log. */
#ifndef DAEMON_PROBLEM_LOG_H
#define DAEMON_PROBLEM_LOG_H

#include "base/problems.h"

void problem_log_one(const struct problem *problem);
void problem_log(const struct problems *problems);
void problem_log_error(const struct error *error);

#endif
