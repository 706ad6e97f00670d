/* Which node of a Cluster has our keys. All of them have one hash tag, {prefix}, so they
 * are in one slot, on one node. */
#ifndef STORE_CLUSTER_H
#define STORE_CLUSTER_H

#include "store/locator.h"

/* Connects to *place, or to the node that it redirects to, which *place is then. Results
 * as of locator_open. */
enum status cluster_open(const struct locator *locator, int step_ms, struct place *place,
                         struct connection **out_connection,
                         struct error *error) MUST_CHECK;

/* Reads where "MOVED 3999 HOST:PORT" or "ASK 3999 HOST:PORT" redirects to; an empty HOST
 * is that of the server that said so. */
bool cluster_target(const char *text, const struct place *from, struct place *out);

#endif
