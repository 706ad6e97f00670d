/* A listening unix socket. */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include <sys/types.h>

#include "base/status.h"

/* Listens on path with this mode, whatever the umask. The caller closes *out_fd. A socket
 * that no program listens on any more is replaced. CONFLICT when another program listens
 * there, IO for any other failure. */
enum status listener_open(const char *path, mode_t mode, int *out_fd,
                          struct error *error) MUST_CHECK;

#endif
