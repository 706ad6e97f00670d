/* What becomes of held messages: the ledger says who may act, the helper acts. */
#ifndef QUARANTINE_ACTIONS_H
#define QUARANTINE_ACTIONS_H

#include "base/text.h"
#include "quarantine/ledger.h"

struct actions;

enum actions_verb {
    ACTIONS_RELEASE, /* deliver it now; charged to nobody */
    ACTIONS_REFUSE,  /* delete it, and tell the sender if he may be written to */
    ACTIONS_DELETE,  /* delete it and tell nobody */
};

/* ledger is borrowed, seal_key (of notices) and host (as the ledger has it) are copied.
 * NULL without memory. Safe from many threads; calls wait for the helper, so none of them
 * is for mail.
 */
struct actions *actions_new(struct ledger *ledger, const struct digest_key *seal_key,
                            const char *host);
void actions_free(struct actions *actions);

/* One held message, once: of two callers, here or on another relay, one succeeds and the
 * other gets CONFLICT and is told what became of the message. CONFLICT, too, when another
 * relay holds it. NOT_FOUND: there is no such hold, or its message is gone from the queue
 * (which is then recorded). UNAVAILABLE or INVALID: the helper failed, and the message is
 * held as before, unless the error says that only the record could not be written. */
enum status actions_decide(struct actions *actions, const struct settings *settings,
                           enum actions_verb verb, const char *id,
                           struct error *error) MUST_CHECK;

/* "release", "refuse", "delete" */
const char *actions_verb_name(enum actions_verb verb);

/* What releasing a hold (as ledger_find_hold gives it) now would do, in one sentence.
 * Looks at the queue; *out_possible says whether it would work. */
enum status actions_foresee(struct actions *actions, const struct settings *settings,
                            const json_t *hold, bool *out_possible,
                            struct text *out) MUST_CHECK;

/* What actions_sync found and did on this relay. */
struct actions_sync {
    size_t in_queue; /* messages on hold in the MTA's queue */
    size_t known;    /* of them with a record that says so */
    size_t restored; /* of them without one, which they have now */
    size_t foreign;  /* of them without a mark of ours: held by somebody else */
    size_t failed;   /* of them that could not be looked at or recorded */
    size_t ended;    /* records whose message is not on hold any more */
    size_t spared;   /* such that were left alone: they may be another relay's */
};

/* Whose the records are that bear this relay's name. Unless they are all its own, none of
 * them ends because this queue has not got its message. */
enum actions_names {
    ACTIONS_NAMES_OWN,
    ACTIONS_NAMES_DOUBTED, /* not known yet */
    ACTIONS_NAMES_SHARED,  /* another relay that is alive calls itself the same */
};
void actions_set_names(struct actions *actions, enum actions_names names);
enum actions_names actions_names(const struct actions *actions);

/* Ends this relay's records whose messages are gone from the queue, and looks at no
 * message: quick enough to be done now and then. Fills in ended and spared. */
enum status actions_tidy(struct actions *actions, const struct settings *settings,
                         struct actions_sync *out, struct error *error) MUST_CHECK;

/* The same for the messages that are on hold by their records, as quickly as can be: two
 * seconds where the MTA may still be putting one into the queue. CONFLICT when some are
 * not in this queue, and may be another relay's. Fills in ended. */
enum status actions_look(struct actions *actions, const struct settings *settings,
                         struct actions_sync *out, struct error *error) MUST_CHECK;

/* Rebuilds this relay's records from the MTA's queue. Waits two seconds where a record is
 * so young that its message may not have reached the queue yet. */
enum status actions_sync(struct actions *actions, const struct settings *settings,
                         struct actions_sync *out, struct error *error) MUST_CHECK;

struct actions_pull {
    size_t held;       /* put on hold, and recorded */
    size_t unrecorded; /* put on hold, but there was no room for a record, or no store */
    size_t failed;     /* still on their way, as far as is known */
};

/* Holds what this relay accepted from a sender before and has not delivered yet, whatever
 * the caps on held mail. key: of the brake, "sender:ADDRESS", as brake_parse_key gives
 * it; INVALID for all others. IO: it was held, but could not be written down beside the
 * state file. */
enum status actions_pull_back(struct actions *actions, const struct settings *settings,
                              const char *key, struct actions_pull *out,
                              struct error *error) MUST_CHECK;

#endif
