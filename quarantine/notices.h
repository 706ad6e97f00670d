/* Telling people: administrators of an incident, the sender of a held message, once. */
#ifndef QUARANTINE_NOTICES_H
#define QUARANTINE_NOTICES_H

#include "base/digest.h"
#include "conf/settings.h"
#include "quarantine/ledger.h"

/* Refused and deferred messages are worth a notice from this many on. */
enum { NOTICES_REFUSALS_MIN = 10 };

/* Looks at the incidents and sends what is due: one notice when an incident opens, at
 * most one per notify.min_interval while it grows, by notify.command and to notify.to,
 * and one to the sender of a held message (notify.tell_sender). What is due is claimed in
 * the store first, so that of several relays one sends it. Not on the mail path: waits
 * for the helper and the command. The error is of the last thing that went wrong. */
enum status notices_send(struct ledger *ledger, const struct settings *settings,
                         const struct digest_key *key, int64_t now_ms,
                         struct error *error) MUST_CHECK;

#endif
