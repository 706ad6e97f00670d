/* What goes on beside the mail: brakes read, refusals written, notices sent, old records
 * put away. Two threads, so that a slow helper never delays a brake. */
#ifndef DAEMON_HOUSEKEEPING_H
#define DAEMON_HOUSEKEEPING_H

#include "base/status.h"
#include "engine/decide.h"
#include "quarantine/actions.h"

enum { HOUSEKEEPING_TICK_MS = 250 };

/* host: this relay's name. Borrows all for the life of the process. UNAVAILABLE when no
 * thread can be had. */
enum status housekeeping_start(struct engine *engine, struct actions *actions,
                               const char *host, struct error *error) MUST_CHECK;

/* Reads the brakes once: before the first message is judged. */
void housekeeping_brakes(struct engine *engine);

/* Writes what refusals were counted since the last second: at the end. */
void housekeeping_flush(struct engine *engine);

#endif
