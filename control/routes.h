/* Which handler answers which method and path. */
#ifndef CONTROL_ROUTES_H
#define CONTROL_ROUTES_H

#include "control/request.h"

struct route {
    const char *method;
    const char *pattern; /* a path; one part of it may be "*" */
    enum role role;      /* that the peer must have; ROLE_NONE: anybody may */
    void (*run)(struct request *request);
    enum actions_verb verb; /* for handlers that decide about held messages */
};

/* The route of a request; the part of the path that matches "*" goes to out_id, cut to
 * its size. NULL when there is none: *out_known then says whether the path exists for
 * another method. */
const struct route *routes_find(const char *method, const char *path,
                                char out_id[REQUEST_ID_SIZE], bool *out_known);

#endif
