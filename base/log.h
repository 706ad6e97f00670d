/* Log lines on stderr, for journald: one event a line, written whole, throttled. Only the
 * programs and their threads log; the layers below report to them. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

enum severity { SEVERITY_ERROR = 3, SEVERITY_WARNING = 4, SEVERITY_INFO = 6 };

/* Starts each line with the program's name (borrowed) or, where the journal reads stderr
 * (JOURNAL_STREAM, see systemd.exec(5)), with a priority as in sd-daemon(3). Call once,
 * before the first line. */
void log_open(const char *program);

/* One line of prose. What is not printable ASCII is escaped. */
void log_print(enum severity severity, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same for faults that may repeat quickly: at most LOG_PER_MINUTE lines a minute with
 * the same format; the first line of the next minute says how many were suppressed. */
void log_throttled(enum severity severity, const char *format, ...) PRINTF_LIKE(2, 3);

enum { LOG_PER_MINUTE = 10 };

/* name=value pairs in a line, separated by blanks. */
void log_field(struct text *line, const char *name, const char *value); /* escaped */
void log_field_number(struct text *line, const char *name, int64_t value);

/* Writes a line made of fields. */
void log_line(enum severity severity, const struct text *line);

/* The lines that log_throttled has suppressed since the start. */
uint64_t log_suppressed(void);

#endif
