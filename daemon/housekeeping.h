/* Background work: reading brakes, writing counts of refused mail, sending notices,
 * removing old records. Several threads, so that a slow helper never delays a brake. */
#ifndef DAEMON_HOUSEKEEPING_H
#define DAEMON_HOUSEKEEPING_H

#include "base/status.h"
#include "daemon/reload.h"
#include "engine/decide.h"
#include "quarantine/actions.h"

enum { HOUSEKEEPING_TICK_MS = 250 };

/* host: this relay's name. Borrows all for the life of the process. UNAVAILABLE when a
 * thread can't be started. */
enum status housekeeping_start(struct engine *engine, struct actions *actions,
                               struct reload *reload, const char *host,
                               struct error *error) MUST_CHECK;

/* Reads the brakes once: before the first message is judged. */
void housekeeping_brakes(struct engine *engine);

/* Writes the refusals counted since the last flush; called at shutdown. */
void housekeeping_flush(struct engine *engine);

#endif
