/* A release goes to the people who were reviewed: not when they have changed since, and
 * above quarantine.approve_over only when two administrators say so. */
#ifndef QUARANTINE_ACTIONS_RELEASE_H
#define QUARANTINE_ACTIONS_RELEASE_H

#include "lists/snapshot.h"
#include "quarantine/actions_audience.h"

struct release_args {
    const char *by; /* who asks, a name below ACTIONS_NAME_SIZE */
    int64_t reach;  /* how many people are expected; below 0: as when it was held */
    bool approved;  /* all who must agree have agreed (quarantine.approve_over) */
    /* What several relays release together is one decision: its id (NULL: there is only
     * this one), and how many people all of them reach. */
    const char *decision;
    int64_t together;
    bool later;          /* all is checked and recorded, but nothing is released yet */
    int64_t deadline_us; /* monotonic */
    const struct actions_progress *progress;
};

/* As actions_decide_many, for ACTIONS_RELEASE. CONFLICT, with the numbers in error, when
 * those messages together would reach others than when they were held, or than
 * args->reach says: then nothing was done, and results are not set. */
enum status actions_release(struct actions *actions, const struct snapshot *snapshot,
                            const struct release_args *args, const char *const *ids,
                            size_t count, struct actions_result *results,
                            struct error *error) MUST_CHECK;

/* Whom those messages of this relay would reach, together; nothing is recorded. Clear it.
 * UNAVAILABLE, NOMEM. */
enum status actions_review(struct actions *actions, const struct snapshot *snapshot,
                           const char *const *ids, size_t count,
                           struct audience_review *out, struct error *error) MUST_CHECK;

/* Up to which holds the audiences are kept. Zero-initialise. */
struct actions_noted {
    int64_t until_ms; /* by the time they were held */
    size_t late;      /* of ledger_late: these were seen, too */
};

/* Keeps with each hold of this relay whom it would reach, soon after it was recorded.
 * LIMIT: not all in that time; the next call goes on. */
enum status actions_note_audiences(struct actions *actions,
                                   const struct snapshot *snapshot,
                                   struct actions_noted *noted,
                                   int64_t deadline_us) MUST_CHECK;

/* Adds to what actions_foresee says of a hold: how its audience has changed, and whether
 * two must release it. */
enum status actions_foresee_release(struct actions *actions,
                                    const struct snapshot *snapshot, const json_t *hold,
                                    struct text *out) MUST_CHECK;

#endif
