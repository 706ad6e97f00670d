/* notify.command: the administrator's own line for the shell. */
#ifndef QUARANTINE_NOTICE_COMMAND_H
#define QUARANTINE_NOTICE_COMMAND_H

#include <jansson.h>

#include "base/status.h"

/* Runs it with the document as JSON on standard input, never as an argument, and waits
 * for at most timeout_ms. IO when it can't be started, takes too long or fails. */
enum status notice_command_run(const char *command, const json_t *document,
                               int timeout_ms, struct error *error) MUST_CHECK;

#endif
