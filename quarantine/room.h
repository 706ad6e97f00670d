/* Room in the file system of the MTA's queue: a flood of held mail must not fill it. */
#ifndef QUARANTINE_ROOM_H
#define QUARANTINE_ROOM_H

#include <stdbool.h>

#include "conf/settings.h"

/* True when at least quarantine.min_free is free there, or when that can't be found out:
 * a hold that fails is the MTA's to tell. */
bool room_is_left(const struct settings *settings);

#endif
