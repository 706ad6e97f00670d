/* Many held messages released, refused or deleted: one action. */
#ifndef CONTROL_DECISION_H
#define CONTROL_DECISION_H

#include "control/request.h"

enum { DECISION_MAX = 1000 }; /* messages that one request may name */

/* How long a decision may take, from now on. */
int64_t decision_deadline_us(void);

/* Announces it, decides about each id (an array of strings), enters it in the audit with
 * the ids and what became of them, and answers {"results": [{"id", "ok", "error"?,
 * "untold"?}], "done", "failed"}. target: as the audit has it. */
void decision_make(struct request *request, enum actions_verb verb, const char *target,
                   const json_t *ids);

#endif
