/* The MTA's side: libmilter's callbacks. See the documentation in libmilter-dev. */
#ifndef MILTER_CALLBACKS_H
#define MILTER_CALLBACKS_H

#include "base/status.h"
#include "engine/decide.h"

/* Registers the callbacks with libmilter; NOMEM when it refuses. engine is borrowed for
 * as long as the process lives; sendmail: the MTA is Sendmail. */
enum status callbacks_register(struct engine *engine, bool sendmail,
                               struct error *error) MUST_CHECK;

/* The number of messages that are being judged right now. */
int callbacks_in_flight(void);

#endif
