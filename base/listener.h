/* A unix socket to connect to. */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include <sys/types.h>

#include "base/status.h"

/* Listens at path with this mode, whatever the umask. A socket that nobody listens at any
 * more is replaced. CONFLICT when somebody does, IO when the system says no. */
enum status listener_open(const char *path, mode_t mode, int *out_fd,
                          struct error *error) MUST_CHECK;

#endif
