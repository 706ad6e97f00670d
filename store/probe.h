/* Whether the store of a configuration answers, and what it has to say. */
#ifndef STORE_PROBE_H
#define STORE_PROBE_H

#include "base/problems.h"
#include "conf/settings.h"
#include "store/store.h"

/* Opens the store as mailbraked would, beside the one that may be in use, asks Redis for
 * one of each kind of call, leaves nothing behind and closes it again; waits
 * store.timeout_ms for its first answer. A store that is away is a warning,
 * since the daemon starts without it; what keeps it from starting is an error. out_place:
 * the server that answered, as store_describe says it; "" when there is none. */
void probe_store(const struct settings *settings, struct problems *problems,
                 char out_place[STORE_PLACE_SIZE]);

#endif
