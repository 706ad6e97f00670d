/* One page of a long list of incidents: grouped by rule, the group that reaches most
 * first, and in it the incident that reaches most. */
#ifndef CONTROL_INCIDENT_PAGE_H
#define CONTROL_INCIDENT_PAGE_H

#include "quarantine/ledger_list.h"

enum {
    INCIDENT_PAGE_MAX = 200,       /* incidents of a page */
    INCIDENT_PAGE_FIND_MAX = 300,  /* bytes to be found */
    INCIDENT_PAGE_READ_MS = 60000, /* for the whole list */
};

/* Which page. find: words without which an incident does not count, each in its id, rule,
 * key, identity, sender, lists or recipients, whatever the case; NULL: any incident. */
struct incident_page_query {
    struct ledger *ledger;
    const char *find; /* borrowed */
    size_t offset, limit;
};

/* Reads the list to its end: {"incidents": [INCIDENT], "count", "groups": [{"rule",
 * "incidents", "reach", "waiting"}]} for json_decref; count and groups are of all that
 * count. LIMIT when find is too long; otherwise the store's failures, and NOMEM. */
enum status incident_page_read(const struct incident_page_query *query,
                               struct ledger_list *list, json_t **out) MUST_CHECK;

#endif
