/* The ledger's records by time, page by page: however many there are, one page of them is
 * in memory. */
#ifndef QUARANTINE_LEDGER_LIST_H
#define QUARANTINE_LEDGER_LIST_H

#include "quarantine/ledger.h"
#include "store/scan.h"

struct ledger_list;

/* As store_each: a scan's entry, its document, and the record as it is stored, times in
 * ms. */
typedef enum status ledger_each(void *context, const char *entry, const char *text,
                                const json_t *record);

/* What is there, oldest first. Each reads the first page, so it fails when the store
 * does. Holds: with all also those that are over; incident: its alone; NULL: of any. */
enum status ledger_list_holds(struct ledger *ledger, bool all, const char *incident,
                              int64_t deadline_us, struct ledger_list **out) MUST_CHECK;
/* Incidents of which something waits, or that somebody can still join. */
enum status ledger_list_current(struct ledger *ledger, int64_t deadline_us,
                                struct ledger_list **out) MUST_CHECK;
/* All whose last message came since, wall time in ms; 0: whenever. */
enum status ledger_list_incidents(struct ledger *ledger, int64_t since_ms,
                                  int64_t deadline_us,
                                  struct ledger_list **out) MUST_CHECK;
/* The same of what would have been stopped. */
enum status ledger_list_would(struct ledger *ledger, int64_t since_ms,
                              int64_t deadline_us, struct ledger_list **out) MUST_CHECK;
void ledger_list_free(struct ledger_list *list); /* NULL is allowed */

/* The next record as ledger.h has it, incidents by their last message, for json_decref;
 * NOT_FOUND after the last. deadline_us is for the next page, if one is read. */
enum status ledger_list_next(struct ledger_list *list, int64_t deadline_us,
                             json_t **out) MUST_CHECK;

/* Calls each for every record that the scan (terms.h) meets. LIMIT when the deadline
 * comes first: a later call goes on from there. */
enum status ledger_scan(struct ledger *ledger, struct scan *scan, int64_t deadline_us,
                        ledger_each *each, void *context) MUST_CHECK;

/* How many records there are, without reading them. */
struct ledger_numbers {
    size_t holds, incidents, incidents_open;
    size_t damaged; /* documents that aren't records; no list shows them */
};
enum status ledger_list_count(struct ledger *ledger, int64_t deadline_us,
                              struct ledger_numbers *out) MUST_CHECK;

#endif
