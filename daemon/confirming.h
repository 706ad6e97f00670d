/* The thread that releases what senders confirmed (quarantine/confirm.h), and writes
 * their answers into the audit. */
#ifndef DAEMON_CONFIRMING_H
#define DAEMON_CONFIRMING_H

#include "control/audit.h"
#include "daemon/reload.h"
#include "engine/decide.h"
#include "quarantine/actions.h"

/* All borrowed, for the life of the process. */
enum status confirming_start(struct engine *engine, struct actions *actions,
                             struct audit *audit, struct reload *reload, const char *host,
                             struct error *error) MUST_CHECK;

#endif
