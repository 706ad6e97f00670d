/* Which lists hold each other: the cycles of a directed graph. */
#ifndef POLICY_GRAPH_H
#define POLICY_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "policy/numbers.h"

/* All borrowed. The successors of node n are edges[starts[n]] up to before
 * edges[starts[n + 1]]; starts has count + 1 items. */
struct graph {
    const size_t *starts;
    const uint32_t *edges;
    uint32_t count;
};

/* Numbers the strongly connected components from 0 up, so that every edge leads into the
 * same component or one with a smaller number. components has room for count. */
enum status graph_components(const struct graph *graph, uint32_t *components,
                             uint32_t *out_count) MUST_CHECK;

/* Appends the nodes of one cycle inside the component of start, which has two nodes or
 * more; the first node is repeated at the end. */
enum status graph_cycle(const struct graph *graph, const uint32_t *components,
                        uint32_t start, struct numbers *out_path) MUST_CHECK;

#endif
