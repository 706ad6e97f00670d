/* Reads the lists that servers answer for (LDAP, Mailman), by a thread of its own:
 * nothing else waits for a server. */
#ifndef DAEMON_LIST_READER_H
#define DAEMON_LIST_READER_H

#include "daemon/reload.h"

/* Starts the thread; reload is borrowed for the life of the process. UNAVAILABLE, and
 * logged, when there is none. */
enum status list_reader_start(struct reload *reload) MUST_CHECK;

#endif
