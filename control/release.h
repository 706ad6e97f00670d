/* A release as the API asks for it: by whom, and for how many people. */
#ifndef CONTROL_RELEASE_H
#define CONTROL_RELEASE_H

#include "control/pace.h"
#include "control/request.h"
#include "quarantine/actions_release.h"

/* Reads "reach" and "pace" of the body, and of an order what else is in it; false, after
 * making the answer, when one of them is not valid. A rate with count 0: all at once. out
 * borrows from the body. */
bool release_read(struct request *request, struct release_args *out,
                  struct pace_rate *out_rate);

/* Begins to release an incident slowly, on that relay ("": several); false, after making
 * the answer, when that fails. Otherwise *out is what is shown of it. */
bool release_slowly(struct request *request, const struct pace_rate *rate,
                    const char *host, size_t messages, json_t **out);

/* The current settings and lists, after reading those again that the MTA has yet to
 * expand: for snapshot_unref. */
struct snapshot *release_snapshot(struct request *request);

/* As actions_release, after the lists that the MTA has yet to expand were read again. */
enum status release_run(struct request *request, const struct release_args *args,
                        const char *const *ids, size_t count,
                        struct actions_result *results, struct error *error) MUST_CHECK;

/* Adds {"approved_by": [NAME], "needs": 1} to an answer about what waits for a second
 * person; nothing when result does not. */
void release_add_approval(json_t *answer, const struct actions_result *result);

#endif
