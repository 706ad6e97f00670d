/* The MTA's side: libmilter's callbacks. See the documentation in libmilter-dev. */
#ifndef MILTER_CALLBACKS_H
#define MILTER_CALLBACKS_H

#include "base/status.h"
#include "engine/decide.h"

/* Tells libmilter of us. engine lives as long as the process. */
enum status callbacks_register(struct engine *engine, bool sendmail,
                               struct error *error) MUST_CHECK;

/* Messages that are being judged at this moment. */
int callbacks_in_flight(void);

#endif
