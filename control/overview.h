/* The numbers that status and metrics show. */
#ifndef CONTROL_OVERVIEW_H
#define CONTROL_OVERVIEW_H

#include "control/request.h"
#include "quarantine/ledger_list.h"

struct overview {
    bool known; /* the numbers were read */
    struct ledger_numbers numbers;
    char complaint[STORE_COMPLAINT_SIZE]; /* why they were not, if the store answers; else
                                             "" */
    size_t brakes, permits;
    size_t lists_ok, lists_stale, lists_shrunk, lists_grown, lists_unknown;
    uint64_t largest_list;   /* persons */
    int64_t oldest_read_s;   /* age of the oldest members in use */
    const char *store_type;  /* "redis", "memory" */
    const char *store_state; /* "ok", "local", "down" */
    int64_t uptime_s;
};

void overview_read(const struct request *request, struct overview *out);

/* "ok", "local", "down" */
const char *overview_store_state(enum store_state state);

#endif
