/* The threads that take orders of other relays (store/orders.h) and carry them out. */
#ifndef DAEMON_TAKER_H
#define DAEMON_TAKER_H

#include "control/control.h"

/* context is copied; it and what it borrows are for the life of the process. */
enum status taker_start(const struct control_context *context,
                        struct error *error) MUST_CHECK;

#endif
