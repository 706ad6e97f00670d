/* What simulate and learn both say of the logs that were read. */
#ifndef LOGS_LOG_VIEWS_H
#define LOGS_LOG_VIEWS_H

#include <jansson.h>
#include <stdio.h>

#include "logs/log_rules.h"
#include "replay/mail_log.h"

/* {"lines", "messages", "unread", "first", "last", "examples"}; hashed: no examples, as
 * they hold addresses. */
json_t *log_json(const struct mail_log_statistics *log, bool hashed);

/* [{"rule", "why"}] */
json_t *log_json_unjudged(const struct log_rules *rules);

/* Ends a sentence on how many lines were read: how many were not understood, and the
 * first of these; hashed: none is shown. */
void log_print_unread(FILE *out, const struct mail_log_statistics *log, bool hashed);

/* On stdout: how much was read, and what log_print_unread says. */
void log_print(const struct mail_log_statistics *log, bool hashed);

/* The rules that a log can't judge; nothing without any. */
void log_print_unjudged(const struct log_rules *rules);

#endif
