/* A unix socket for administrators to connect to. */
#ifndef ADMIN_LISTENER_H
#define ADMIN_LISTENER_H

#include "base/status.h"

/* Listens at path with mode 0660, for a group of the system if there is one of that name
 * (else a warning in the log). A socket that nobody listens at any more is replaced.
 * CONFLICT when somebody does, IO when the system says no. */
enum status listener_open(const char *path, const char *group, int *out_fd,
                          struct error *error) MUST_CHECK;

#endif
