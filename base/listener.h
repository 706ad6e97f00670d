/* Listening sockets. */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include <sys/types.h>

#include "base/status.h"
#include "base/tcp_address.h"

/* Listens on path with this mode, whatever the umask. The caller closes *out_fd. A socket
 * that no program listens on any more is replaced. CONFLICT when another program listens
 * there, IO for any other failure. */
enum status listener_open(const char *path, mode_t mode, int *out_fd,
                          struct error *error) MUST_CHECK;

/* Listens over TCP. The caller closes *out_fd. IO with the system's reason. */
enum status listener_open_tcp(const struct tcp_address *address, int *out_fd,
                              struct error *error) MUST_CHECK;

#endif
