/* Changes of one record that only one of several callers, on any relay, makes: of an
 * incident, a hold, or the notices that belong to no incident. */
#ifndef QUARANTINE_LEDGER_INCIDENT_H
#define QUARANTINE_LEDGER_INCIDENT_H

#include "quarantine/ledger.h"

/* Changes a record, perhaps several times until nobody else has meanwhile; false when
 * there is nothing to do any more. */
typedef bool ledger_change(void *context, json_t *record);

/* Changes an incident as change does it, anew for as long as others change it meanwhile.
 * CONFLICT when change returned false. NOT_FOUND, or LIMIT when the record becomes too
 * long. out, if not NULL: the record as it is then, times in ms, for json_decref. */
enum status ledger_change_incident(struct ledger *ledger, const char *id,
                                   ledger_change *change, void *context,
                                   int64_t deadline_us, json_t **out) MUST_CHECK;

/* The same for a hold. */
enum status ledger_change_hold(struct ledger *ledger, const char *id,
                               ledger_change *change, void *context, int64_t deadline_us,
                               json_t **out) MUST_CHECK;

/* The same for the one record of notices that belong to no incident; there may be none
 * yet, which is an empty object. */
enum status ledger_change_note(struct ledger *ledger, ledger_change *change,
                               void *context, int64_t deadline_us) MUST_CHECK;
/* A copy; an empty object when there is none. */
enum status ledger_read_note(struct ledger *ledger, int64_t deadline_us,
                             json_t **out) MUST_CHECK;

#endif
