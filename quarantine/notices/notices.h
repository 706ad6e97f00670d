/* Telling people: administrators of an incident, the sender of a held message, once. */
#ifndef QUARANTINE_NOTICES_H
#define QUARANTINE_NOTICES_H

#include "base/digest.h"
#include "base/patience.h"
#include "conf/settings.h"
#include "lists/jumps.h"
#include "quarantine/ledger.h"
#include "store/scan.h"

enum {
    /* Refused and deferred messages are worth a notice from this many on. */
    NOTICES_REFUSALS_MIN = 10,
    /* In each notify.min_interval administrators are told of this many incidents one by
     * one, and of this many more that hold no mail; one notice says how many opened
     * beyond that. */
    NOTICES_HOLDS = 10,
    NOTICES_REFUSALS = 5,
    /* Notices to senders with a login that one client may bring about in an interval;
     * without a login it is one. */
    NOTICES_SENDER_MAX = 10,
    /* Letters that can be answered; with a login or without. */
    NOTICES_CONFIRM_MAX = 40,
    /* The interval is no shorter than this for notices to senders. */
    NOTICES_SENDER_MIN_MS = 10 * 60 * 1000,
    /* For struct notices. */
    NOTICES_TIMEOUT_MS = 20 * 1000,
    /* A relay claims a notice in the store for this long; if it fails or dies, another
     * one takes over then. Longer than sending a notice can take. */
    NOTICES_LEASE_MS = 60 * 1000,
    /* A notice that is refused, rather than not taken, is tried this often. */
    NOTICES_TRIES = 10,
    /* A notice that could not go out is still sent this much later. */
    NOTICES_LATE_MS = 24 * 3600 * 1000,
    NOTICES_PASS_MS = 60 * 1000,
    NOTICES_HANDED_MAX = 64,
    NOTICES_TO_SIZE = 256, /* of a sender's address */
};

/* How far a look at the incidents has come. */
struct notices_look {
    struct scan scan,
        over;    /* over: those of the last day that are over, after the others */
    bool back;   /* it looks at those, too */
    bool second; /* it is at those */
    bool done;
};

/* A letter that was handed over, while the store could not be told so. */
struct notices_handed {
    char incident[DIGEST_ID_SIZE];
    char to[NOTICES_TO_SIZE];
};

/* Borrowed but for the numbers, and what was handed over. */
struct notices {
    struct ledger *ledger;
    const struct digest_key *token_key;
    const char *host;     /* this relay's name */
    int timeout_ms;       /* of the helper, and of the command, for one notice */
    unsigned passes;      /* looks that were begun; from 0 */
    int jump_tries;       /* of the notice of lists that could not be handed over */
    struct patience mail; /* for the helper */
    struct notices_look look;
    struct notices_handed handed[NOTICES_HANDED_MAX];
    size_t handed_count;
};

/* Looks at the incidents and sends what is due: one notice when an incident opens, or the
 * first message of it is held, at most one per notify.min_interval while it grows, by
 * mail to notify.to and by notify.command, and one notice to each sender of held mail
 * (notify.tell_sender). What is due is claimed in the store, so that only one of several
 * relays sends it, and is done only when it was handed over: at least once. Not on the
 * mail path: waits for the helper and the command, NOTICES_PASS_MS at most and a little.
 * LIMIT when there was no time for all of them: the next call goes on. The error is of
 * the last thing that went wrong. */
enum status notices_send(struct notices *notices, const struct settings *settings,
                         int64_t now_ms, struct error *error) MUST_CHECK;

/* How administrators get notices: NOTICES_MAIL, NOTICES_COMMAND; 0: they get none. */
int64_t notices_ways(const struct settings *settings);

/* What a sender's answer did not let go, though it counts. All borrowed. */
struct notices_answer {
    const char *incident; /* its id */
    const char *to;       /* the sender */
    const char *why;      /* for administrators */
    const char *plain;    /* the same for the sender, as the end of a sentence */
    bool over;            /* nothing of it waits: administrators need not know */
};

enum { NOTICES_ANSWER_TOLD = 8 }; /* nobody is to be told any more */

/* Tells the sender of it, and administrators, unless it is over. *told, 0 at
 * first, is what has been handed over so far: as in notices_send, the next call goes on.
 */
enum status notices_send_answer(struct notices *notices, const struct settings *settings,
                                const struct notices_answer *answer, int64_t *told,
                                struct error *error) MUST_CHECK;

/* Sends administrators one notice of lists that jumped, in the ways that notified lacks.
 * *out_notified is then notified with those in which the notice was handed over. Waits as
 * notices_send does; the error is the last thing that went wrong. Each relay sends
 * notices of its own lists. */
enum status notices_send_jumps(struct notices *notices, const struct settings *settings,
                               const struct list_jumps *jumps, int64_t notified,
                               int64_t *out_notified, struct error *error) MUST_CHECK;

#endif
