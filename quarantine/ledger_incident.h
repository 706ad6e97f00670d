/* Changes of one incident, or of the notices that belong to none, that only one of
 * several relays makes. */
#ifndef QUARANTINE_LEDGER_INCIDENT_H
#define QUARANTINE_LEDGER_INCIDENT_H

#include "quarantine/ledger.h"

/* Changes an incident as change does it, anew for as long as others change it meanwhile.
 * change returns false when there is nothing to do any more: CONFLICT. NOT_FOUND, or
 * LIMIT when the record becomes too long. out, if not NULL: the record as it is then,
 * times in ms, for json_decref. */
enum status ledger_change_incident(struct ledger *ledger, const char *id,
                                   bool (*change)(void *context, json_t *incident),
                                   void *context, int64_t deadline_us,
                                   json_t **out) MUST_CHECK;

/* The same for the one record of notices that belong to no incident; there may be none
 * yet, which is an empty object. */
enum status ledger_change_note(struct ledger *ledger,
                               bool (*change)(void *context, json_t *note), void *context,
                               int64_t deadline_us) MUST_CHECK;
/* A copy; an empty object when there is none. */
enum status ledger_read_note(struct ledger *ledger, int64_t deadline_us,
                             json_t **out) MUST_CHECK;

#endif
