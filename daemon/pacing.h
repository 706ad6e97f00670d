/* The thread that releases incidents slowly (control/pace.h). */
#ifndef DAEMON_PACING_H
#define DAEMON_PACING_H

#include "control/audit.h"
#include "engine/decide.h"
#include "quarantine/actions.h"

/* All borrowed, for the life of the process. */
enum status pacing_start(struct engine *engine, struct actions *actions,
                         struct audit *audit, const char *host,
                         struct error *error) MUST_CHECK;

#endif
