/* Decisions about held messages of whatever relay: what another one holds, it is ordered
 * to decide about (store/orders.h, control/obey.h). */
#ifndef CONTROL_EVERYWHERE_H
#define CONTROL_EVERYWHERE_H

#include "control/release.h"
#include "control/request.h"
#include "store/orders.h"

/* Carries out the request's verb on the messages, each on its relay; args are those of a
 * release. CONFLICT and others, with error, when nothing was done anywhere, as in
 * actions_release; else results has count of them. out_host: the one relay that holds
 * them; "": there are several. */
enum status everywhere_decide(struct request *request, const struct release_args *args,
                              const char *const *ids, size_t count,
                              struct actions_result *results,
                              char out_host[ORDERS_HOST_SIZE],
                              struct error *error) MUST_CHECK;

/* Whom releasing the messages now would reach, together; nothing is done. Those of a
 * relay that does not answer are left out: out_away is its name, else "". */
enum status everywhere_review(struct request *request, const char *const *ids,
                              size_t count, struct audience_change *out,
                              char out_away[ORDERS_HOST_SIZE],
                              struct error *error) MUST_CHECK;

/* Has another relay show a message that it holds. OK with its answer for json_decref. */
enum status everywhere_show(struct request *request, const char *host, json_t **out,
                            struct error *error) MUST_CHECK;

/* True when another relay holds this message, and can be asked. */
bool everywhere_is_elsewhere(const struct request *request, const json_t *hold);

#endif
