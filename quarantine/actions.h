/* What becomes of held messages: the ledger says who may act, the helper acts. */
#ifndef QUARANTINE_ACTIONS_H
#define QUARANTINE_ACTIONS_H

#include "base/text.h"
#include "policy/brake.h"
#include "quarantine/ledger.h"

struct actions;

enum actions_verb {
    ACTIONS_RELEASE, /* deliver it now; charged to nobody */
    ACTIONS_REFUSE,  /* delete it, and tell the sender if he may be written to */
    ACTIONS_DELETE,  /* delete it and tell nobody */
};

/* ledger is borrowed, token_key (of notices) and host (as the ledger has it) are copied.
 * NULL without memory. Safe from many threads; calls wait for the helper, so none of them
 * is for mail.
 */
struct actions *actions_new(struct ledger *ledger, const struct digest_key *token_key,
                            const char *host);
void actions_free(struct actions *actions);

enum { ACTIONS_NAME_SIZE = 64 }; /* of an administrator */

/* How a decision about one held message went. */
struct actions_result {
    enum status status;
    struct error error; /* names the message */
    bool decided; /* CONFLICT, since somebody else released, refused or deleted it */
    bool same;    /* and did what this call was to do */
    bool untold;  /* refused, but the MTA can't write to its sender */
    char approved_by[ACTIONS_NAME_SIZE]; /* OK, but not released yet: one more, who is not
                                            this one, must say so; else "" */
};

/* Who is told how far a long work is; tell NULL: nobody. */
struct actions_progress {
    void (*tell)(void *context, size_t done, size_t total);
    void *context;
};

/* Each held message, once: of two callers, here or on another relay, one succeeds and the
 * other gets CONFLICT and is told what became of the message. CONFLICT, too, when another
 * relay holds it. NOT_FOUND: there is no such hold, or its message is gone from the queue
 * (which is then recorded). UNAVAILABLE or INVALID: the helper failed, and the message is
 * held as before, unless the error says that only the record could not be written.
 * results has count of them. Refusals of one incident write one notice to a sender. Once
 * helper or store do not answer, or deadline_us (monotonic) is over, the rest is
 * UNAVAILABLE and was not tried. */
void actions_decide_many(struct actions *actions, const struct settings *settings,
                         enum actions_verb verb, const char *const *ids, size_t count,
                         int64_t deadline_us, const struct actions_progress *progress,
                         struct actions_result *results);

/* Refuses what this relay holds for longer than quarantine.expire, and calls refused for
 * each. deadline_us as above; LIMIT when it comes before all were tried: the next call
 * goes on. What could not be refused is as before; *out_left says how many those are, and
 * error why the first was not. By one thread at a time. */
enum status actions_expire(struct actions *actions, const struct settings *settings,
                           int64_t deadline_us, void (*refused)(const char *id),
                           size_t *out_left, struct error *error) MUST_CHECK;

/* "release", "refuse", "delete" */
const char *actions_verb_name(enum actions_verb verb);

/* What releasing a hold (as ledger_find_hold gives it) now would do, in one sentence.
 * Looks at the queue; *out_possible says whether it would work. */
enum status actions_foresee(struct actions *actions, const struct settings *settings,
                            const json_t *hold, bool *out_possible,
                            struct text *out) MUST_CHECK;

/* Adds what quarantine.content lets the helper show of a held message, see
 * helper_content. Failures as in actions_decide_many, with the hold's id in error. */
enum status actions_content(struct actions *actions, const struct settings *settings,
                            const json_t *hold, struct text *out,
                            struct error *error) MUST_CHECK;

enum { ACTIONS_FAILURES_MAX = 100 };

/* What actions_sync found and did on this relay; clear it. */
struct actions_sync {
    json_t *failures; /* [{"queue_id", "error"}], the first ACTIONS_FAILURES_MAX of those
                         that failed; NULL for none */
    size_t in_queue;  /* messages on hold in the MTA's queue */
    size_t known;     /* of them with a record that says so */
    size_t restored;  /* of them without one, which they have now */
    size_t foreign;   /* of them without a hold header of ours: held by somebody else */
    size_t failed;    /* of them that could not be looked at or recorded */
    size_t ended;     /* records whose message is not on hold any more */
    size_t kept;      /* such records that stay: they may be another relay's */
};
void actions_sync_clear(struct actions_sync *sync);

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
 * message: quick enough to be done now and then. Fills in ended and kept. */
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
                         const struct actions_progress *progress,
                         struct actions_sync *out, struct error *error) MUST_CHECK;

struct actions_pull {
    size_t held;       /* put on hold, and recorded */
    size_t unrecorded; /* put on hold, but there was no room for a record, or no store */
    size_t failed;     /* still on their way, as far as is known */
};

/* True for the brakes whose mail can be pulled back: login:, sender: and client:. */
bool actions_can_pull(const struct brake *brake);

/* Holds what this relay accepted before and has not delivered yet, where the brake would
 * stop it now, whatever the caps on held mail. INVALID for a brake whose mail can't be
 * pulled back, or that the MTA's queue knows too little for. IO: it was held, but could
 * not be written down beside the state file. */
enum status actions_pull_back(struct actions *actions, const struct settings *settings,
                              const struct brake *brake,
                              const struct actions_progress *progress,
                              struct actions_pull *out, struct error *error) MUST_CHECK;

#endif
