/* A hypothetical message, as POST /v1/explain describes it (doc/control-api.md). */
#ifndef ENGINE_EXPLAIN_QUERY_H
#define ENGINE_EXPLAIN_QUERY_H

#include <jansson.h>

#include "policy/message.h"

struct explain_query {
    struct envelope envelope;
    struct envelope_recipient *recipients;
    struct header *headers;
};

/* Reads a document, from which *out borrows. Returns what is wrong with it, NULL when
 * nothing is; clear *out in either case. */
const char *explain_query_read(const json_t *document, struct explain_query *out);
void explain_query_clear(struct explain_query *query);

#endif
