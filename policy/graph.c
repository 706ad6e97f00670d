/* Tarjan's algorithm with its stack in the heap: lists come from outside, so their depth
 * must not become ours. */
#include "policy/graph.h"

#include <stdbool.h>
#include <stdlib.h>

#define NOT_SEEN UINT32_MAX

struct visit {
    uint32_t index; /* order of discovery, NOT_SEEN before */
    uint32_t low;   /* the smallest index known to be reached */
    uint32_t parent;
    bool open;        /* its component is not complete yet */
    size_t next_edge; /* the first not looked at */
};

struct tarjan {
    const struct graph *graph;
    struct visit *visits;
    uint32_t *stack; /* open nodes */
    size_t stack_count;
    uint32_t seen;
    uint32_t *components;
    uint32_t component_count;
};

static void enter(struct tarjan *tarjan, uint32_t node, uint32_t parent)
{
    tarjan->visits[node] = (struct visit){
        .index = tarjan->seen,
        .low = tarjan->seen,
        .parent = parent,
        .open = true,
        .next_edge = tarjan->graph->starts[node],
    };
    tarjan->seen++;
    tarjan->stack[tarjan->stack_count++] = node;
}

/* All edges of node are done: closes its component if it is its first node. */
static void leave(struct tarjan *tarjan, uint32_t node)
{
    const struct visit *visit = &tarjan->visits[node];
    if (visit->parent != NOT_SEEN && visit->low < tarjan->visits[visit->parent].low)
        tarjan->visits[visit->parent].low = visit->low;
    if (visit->low != visit->index)
        return;
    uint32_t member;
    do {
        member = tarjan->stack[--tarjan->stack_count];
        tarjan->visits[member].open = false;
        tarjan->components[member] = tarjan->component_count;
    } while (member != node);
    tarjan->component_count++;
}

static void walk_from(struct tarjan *tarjan, uint32_t root)
{
    enter(tarjan, root, NOT_SEEN);
    for (uint32_t node = root; node != NOT_SEEN;) {
        struct visit *visit = &tarjan->visits[node];
        if (visit->next_edge == tarjan->graph->starts[node + 1]) {
            uint32_t parent = visit->parent;
            leave(tarjan, node);
            node = parent;
            continue;
        }
        uint32_t next = tarjan->graph->edges[visit->next_edge++];
        const struct visit *there = &tarjan->visits[next];
        if (there->index == NOT_SEEN) {
            enter(tarjan, next, node);
            node = next;
        } else if (there->open && there->index < visit->low) {
            visit->low = there->index;
        }
    }
}

enum status graph_components(const struct graph *graph, uint32_t *components,
                             uint32_t *out_count)
{
    struct tarjan tarjan = {.graph = graph, .components = components};
    tarjan.visits = calloc((size_t)graph->count + 1, sizeof *tarjan.visits);
    tarjan.stack = calloc((size_t)graph->count + 1, sizeof *tarjan.stack);
    enum status status = STATUS_NOMEM;
    if (tarjan.visits == NULL || tarjan.stack == NULL)
        goto done;
    for (uint32_t node = 0; node < graph->count; node++)
        tarjan.visits[node].index = NOT_SEEN;
    for (uint32_t node = 0; node < graph->count; node++) {
        if (tarjan.visits[node].index == NOT_SEEN)
            walk_from(&tarjan, node);
    }
    *out_count = tarjan.component_count;
    status = STATUS_OK;
done:
    free(tarjan.visits);
    free(tarjan.stack);
    return status;
}

/* The first successor inside the same component; there is one, since it is a cycle's. */
static uint32_t step_inside(const struct graph *graph, const uint32_t *components,
                            uint32_t node)
{
    for (size_t i = graph->starts[node]; i < graph->starts[node + 1]; i++) {
        uint32_t next = graph->edges[i];
        if (next != node && components[next] == components[node])
            return next;
    }
    return node;
}

enum status graph_cycle(const struct graph *graph, const uint32_t *components,
                        uint32_t start, struct numbers *out_path)
{
    /* Two walkers, one twice as fast, meet on the cycle that start leads into (Floyd). */
    uint32_t slow = start;
    uint32_t fast = start;
    do {
        slow = step_inside(graph, components, slow);
        fast = step_inside(graph, components, fast);
        fast = step_inside(graph, components, fast);
    } while (slow != fast);
    /* From there and from start at the same speed they meet where the cycle begins. */
    for (slow = start; slow != fast;) {
        slow = step_inside(graph, components, slow);
        fast = step_inside(graph, components, fast);
    }
    uint32_t node = slow;
    do {
        if (numbers_push(out_path, node) != STATUS_OK)
            return STATUS_NOMEM;
        node = step_inside(graph, components, node);
    } while (node != slow);
    return numbers_push(out_path, slow);
}
