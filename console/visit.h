/* One request of the browser's, from its first line to its answer. */
#ifndef CONSOLE_VISIT_H
#define CONSOLE_VISIT_H

#include <microhttpd.h>
#include <semaphore.h>

#include "base/text.h"
#include "console/server.h"

/* What all requests share. */
struct visit_context {
    struct server_args args;
    sem_t work_slots; /* how many more may wait for mailbraked */
};

struct visit {
    struct visit_context *context;
    struct MHD_Connection *connection;
    const char *method; /* borrowed */
    char *target;       /* as it came: the path and its parameters */
    struct text body;
};

/* target is copied; NULL without memory. */
struct visit *visit_new(struct visit_context *context, const char *target);
void visit_free(struct visit *visit);

/* Once its header fields are there: true when the body and visit_finish are to come. Else
 * *out is the result of the answer that was queued. */
bool visit_begin(struct visit *visit, enum MHD_Result *out);

/* Once its body is there: answers. */
enum MHD_Result visit_finish(struct visit *visit);

#endif
