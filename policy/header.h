/* The header fields that facts are made of. */
#ifndef POLICY_HEADER_H
#define POLICY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "policy/domains.h"
#include "policy/thread.h"

/* A field as the MTA hands it over: borrowed, value may be folded. */
struct header {
    const char *name;
    const char *value;
};

struct header_facts {
    uint64_t visible, visible_external; /* distinct addresses in To and Cc */
    bool reply, automatic;
    struct thread_links links; /* each of the first field that has one */
    const char *subject;       /* of the first Subject, borrowed; NULL: none */
};

/* Which fields header_gather looks at. */
bool header_is_wanted(const char *name);

/* NOMEM, or LIMIT when there are too many addresses to count. */
enum status header_gather(const struct header *headers, size_t count,
                          const struct domains *own, struct header_facts *out) MUST_CHECK;

#endif
