/* Room in the file system of the MTA's queue: a flood of held mail must not fill it. */
#ifndef QUARANTINE_ROOM_H
#define QUARANTINE_ROOM_H

#include <stdbool.h>

#include "base/text.h"
#include "conf/settings.h"

/* Where the queue lies, as the MTA's own configuration says: queue_directory in main.cf
 * (postconf(5)), QueueDirectory in sendmail.cf. INVALID or IO when that can't be told, or
 * nothing is there; error says where and why: then min_free can't be minded. Adds to
 * out. */
enum status room_find(const struct settings *settings, struct text *out,
                      struct error *error) MUST_CHECK;

/* True when at least quarantine.min_free is free there, or when that can't be found out:
 * a hold that fails is the MTA's to tell. */
bool room_is_left(const struct settings *settings);

#endif
