/* What a peer's roles allow. */
#ifndef CONTROL_ACCESS_H
#define CONTROL_ACCESS_H

#include "control/request.h"

/* "look", "decide", ..., "admin" */
const char *access_role_name(enum role role);

/* True when the request's peer has the role, or it is ROLE_NONE; else answers 403, which
 * names the role and who has it. */
bool access_check(struct request *request, enum role role);

#endif
