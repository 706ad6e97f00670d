/* Replaces files: after a crash the old one or the new one is there, never half of one.
 */
#ifndef BASE_DURABLE_H
#define BASE_DURABLE_H

#include <stddef.h>

#include "base/status.h"

/* Writes data to temporary (mode 0600; one that a crash left is replaced), fsyncs it and
 * renames it to path, which is in the same folder. IO with the system's words; then path
 * is as before and temporary is gone. Where a folder can't be fsynced, the old file may
 * be back after a crash: older, not wrong. */
enum status durable_replace(const char *path, const char *temporary, const char *data,
                            size_t length, struct error *error) MUST_CHECK;

#endif
