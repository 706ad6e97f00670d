/* A stopped message, told to the ledger: the hold record, or a count of refusals. */
#ifndef MILTER_RECORD_H
#define MILTER_RECORD_H

#include "milter/decide.h"

/* Called for what a rule or a brake stopped, with the view it was judged by. May turn a
 * hold into a refusal or a deferral when there is no room for it, and writes what the
 * hold and the reply name into decision. Waits at most until deadline_us. */
void record_stopped(struct engine *engine, const struct view *view,
                    const struct settings *settings, const struct occasion *occasion,
                    int64_t deadline_us, struct verdict *verdict,
                    struct decision *decision);

#endif
