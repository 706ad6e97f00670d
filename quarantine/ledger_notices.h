/* What the ledger gives to those who write notices: the incidents one after the other,
 * and changes of one of them that only one of several relays makes. */
#ifndef QUARANTINE_LEDGER_NOTICES_H
#define QUARANTINE_LEDGER_NOTICES_H

#include "quarantine/ledger.h"

/* Where an incident was found. */
struct ledger_place {
    enum collection collection;
    char id[DOCUMENTS_ID_MAX + 1];
};

/* Calls each for every incident that is open, and with over for those that are not any
 * more, until it returns another status than OK; records are as they are stored, times in
 * ms, and only the one in hand is in memory. */
enum status ledger_each_incident(struct ledger *ledger, bool over, int64_t deadline_us,
                                 enum status (*each)(void *context,
                                                     const struct ledger_place *place,
                                                     const json_t *incident),
                                 void *context) MUST_CHECK;

/* Changes an incident as change does it, anew for as long as others change it meanwhile.
 * change returns false when there is nothing to do any more: CONFLICT. NOT_FOUND, or
 * LIMIT when the record becomes too long. out, if not NULL: the record as it is then. */
enum status ledger_change_incident(struct ledger *ledger,
                                   const struct ledger_place *place, const char *incident,
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
