/* Many held messages released, refused or deleted: one action. */
#ifndef CONTROL_BATCH_H
#define CONTROL_BATCH_H

#include "control/request.h"

enum { BATCH_MAX = 1000 }; /* messages that one request may name */

/* How long deciding may take, from now on. */
int64_t batch_deadline_us(void);

/* Decides by the request's verb about each id (an array of strings), with an entry in the
 * audit that has the ids and what became of them, and answers {"results": [{"id", "ok",
 * "error"?, "untold"?}], "done", "failed"}. target: as the audit has it. */
void batch_decide(struct request *request, const char *target, const json_t *ids);

#endif
