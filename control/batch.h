/* Many held messages released, refused or deleted: one action. */
#ifndef CONTROL_BATCH_H
#define CONTROL_BATCH_H

#include "control/request.h"

enum { BATCH_MAX = 1000 }; /* messages that one request may name */

/* The monotonic time, in us, by which a decision taken now must be done. */
int64_t batch_deadline_us(void);

/* Carries out the request's verb on each id (an array of strings), writes one audit entry
 * with the ids and their results, and answers {"results": [{"id", "ok",
 * "error"?, "untold"?}], "done", "failed"}. target: what the audit shows as target. */
void batch_decide(struct request *request, const char *target, const json_t *ids);

#endif
