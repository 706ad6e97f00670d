/* The relays that share this one's store. */
#ifndef CONTROL_RELAYS_H
#define CONTROL_RELAYS_H

#include "control/request.h"

/* Has all other relays do what body says. Their answers, [{"host", ...}], those that
 * failed with "error". UNAVAILABLE when the store does not know them. */
enum status relays_do(struct request *request, const char *what, const json_t *body,
                      json_t **out, struct error *error) MUST_CHECK;

/* This relay and those that have announced themselves in the last day: [{"host",
 * "answers", "version", "rules", "key", "holds"}]: whether one still does, and what it
 * says of itself; null when the store does not know them. */
json_t *relays_list(const struct request *request);

#endif
