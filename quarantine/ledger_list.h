/* The ledger's records by time, one after the other: however many there are, and whoever
 * put them there, little memory is in use for them at a time. */
#ifndef QUARANTINE_LEDGER_LIST_H
#define QUARANTINE_LEDGER_LIST_H

#include "quarantine/ledger.h"

/* Texts that all lists together keep; what finds no room is read again when it is due. */
enum { LEDGER_LIST_BYTES_MAX = 16 * 1024 * 1024 };

struct ledger_list;

/* What is there, oldest first; holds that are over only with all. */
enum status ledger_list_holds(struct ledger *ledger, bool all, int64_t deadline_us,
                              struct ledger_list **out) MUST_CHECK;
enum status ledger_list_incidents(struct ledger *ledger, int64_t deadline_us,
                                  struct ledger_list **out) MUST_CHECK;
void ledger_list_free(struct ledger_list *list); /* NULL is allowed */

/* The next record as ledger.h has it, incidents by their last message, for json_decref;
 * NOT_FOUND after the last. What is gone by now is passed over. */
enum status ledger_list_next(struct ledger_list *list, int64_t deadline_us,
                             json_t **out) MUST_CHECK;

/* How many records there are, without reading them again. */
struct ledger_numbers {
    size_t holds, incidents, incidents_open;
    size_t damaged; /* documents that are no records, which no list shows */
};
enum status ledger_list_count(struct ledger *ledger, int64_t deadline_us,
                              struct ledger_numbers *out) MUST_CHECK;

#endif
