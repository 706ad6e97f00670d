/* A message that was stopped, as the ledger is told of it. */
#ifndef QUARANTINE_EVENT_H
#define QUARANTINE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "policy/charge.h"
#include "policy/rule.h"

/* Events of one rule and subject that are less than this apart are one incident. */
enum { INCIDENT_GAP_MS = 3600 * 1000 };

enum { EVENT_ADDRESSED_MAX = 20, EVENT_LISTS_MAX = 20, EVENT_REACH_UNKNOWN = -1 };

/* A permit that was exceeded: how many copies it has in all, and had left. */
struct event_permit {
    const char *id; /* NULL: none was */
    int64_t copies, left;
};

/* All strings borrowed. */
struct event {
    enum action action;      /* quarantine, reject or defer */
    const char *rule;        /* its name, or "brake" */
    const char *fingerprint; /* of the rule, or of the brake's key */
    const char *subject;     /* what makes the incident: "login:a@b", "list:c@d" */
    const char *identity;
    const char *sender; /* MAIL FROM, canonical; "" is <> */
    const char *client; /* its key, as facts have it ("10.1.2.3", "local"); "" unknown */
    bool proven;        /* identity is a login, or an own address from a trusted client */
    bool local;         /* of sendmail(1): to be deferred means to stay in maildrop */
    const char *limit;  /* what it passed, in words; "" */
    int64_t before; /* copies, messages or clients that the limit had let pass; below 0:
                       it counts none */
    int64_t usual;  /* copies in a window of its surge; 0: not known */
    bool would;     /* it was not stopped: a rule, or the mode, only monitors */
    struct event_permit permit;
    const char *confirmed_by; /* by whose answer it is let go, as confirm_identity gives
                                 it; NULL: by nobody's */
    bool confirm;             /* its sender is asked for that answer */
    bool tell; /* sender may be written to: it is the login, or an own address from a
                  trusted client, and a person */
    /* Lists, and recipients as addressed: the first of them, up to a NULL, and how many
     * there are. */
    const char *lists[EVENT_LISTS_MAX], *addressed[EVENT_ADDRESSED_MAX];
    size_t list_count, addressed_count;
    int64_t reach; /* EVENT_REACH_UNKNOWN: nobody counted it */
    int64_t copies;
    const struct charge *charges; /* of its plan: a release trains their windows */
    size_t charge_count;
    bool recalled; /* it is on hold already, taken back from the queue: no cap applies,
                    and it bears no hold header */
    int64_t arrived_s;    /* of a recalled one: when the MTA got it, since 1970 */
    const char *queue_id; /* "" when not known */
    int64_t now_ms;       /* wall time */
};

#endif
