/* Telling people: administrators of an incident, the sender of a held message, once. */
#ifndef QUARANTINE_NOTICES_H
#define QUARANTINE_NOTICES_H

#include "base/digest.h"
#include "conf/settings.h"
#include "quarantine/ledger.h"

/* Refused and deferred messages are worth a notice from this many on. */
enum { NOTICES_REFUSALS_MIN = 10 };

/* Of so many incidents administrators are told one by one in each notify.min_interval; of
 * what opens beyond that they get one notice that says how many. */
enum { NOTICES_PER_INTERVAL = 10 };

/* How many were told in this interval. Zero-initialise but for what is borrowed. */
struct notices {
    struct ledger *ledger;
    const struct digest_key *seal_key;
    int64_t since_ms;
    unsigned told;
    bool summed_up;
};

/* Looks at the incidents and sends what is due: one notice when an incident opens, at
 * most one per notify.min_interval while it grows, by notify.command and to notify.to,
 * and one to the sender of a held message (notify.tell_sender). What is due is claimed in
 * the store first, so that of several relays one sends it; mail that could not be handed
 * over is tried again each minute. Not on the mail path: waits
 * for the helper and the command. The error is of the last thing that went wrong. */
enum status notices_send(struct notices *notices, const struct settings *settings,
                         int64_t now_ms, struct error *error) MUST_CHECK;

#endif
