/* Whom held messages would reach now, and what has changed since they were held. */
#ifndef QUARANTINE_ACTIONS_AUDIENCE_H
#define QUARANTINE_ACTIONS_AUDIENCE_H

#include "lists/snapshot.h"
#include "policy/audience.h"
#include "quarantine/actions.h"

/* Clear it. */
struct audiences {
    const struct digest_key *key;      /* borrowed */
    const struct directory *directory; /* borrowed */
    struct audience **now; /* of each hold; NULL: it can't be decided about here, its
                              message is gone, or it is unknown */
    bool *unknown;         /* of each: the helper found it, but could not read it */
    struct audience **owned;
    size_t owned_count;
    struct audience *last;
    char *last_answer;
};

/* Asks the helper for the recipients of those holds that are this relay's and wait; a
 * hold may be NULL. UNAVAILABLE, NOMEM. */
enum status audiences_read(struct actions *actions, const struct snapshot *snapshot,
                           json_t *const *holds, size_t count, struct audiences *out,
                           struct error *error) MUST_CHECK;
void audiences_clear(struct audiences *audiences);

struct audience_change {
    bool changed;
    bool told;          /* more and fewer are known */
    size_t reach;       /* persons now, of all holds together */
    size_t more, fewer; /* than when they were held */
};

/* The unions of all of them: whom they reach now, and reached when they were held. */
struct audience_review {
    bool changed, told;
    struct audience now, then;
};
enum status audiences_review(const struct audiences *audiences, json_t *const *holds,
                             size_t count, struct audience_review *out) MUST_CHECK;
void audience_review_clear(struct audience_review *review);
struct audience_change audience_review_count(const struct audience_review *review);

/* A review for another relay with the same key: the persons, or, where that is more than
 * room bytes, their digests. NULL without memory. */
json_t *audience_review_write(const struct audience_review *review,
                              const struct digest_key *key, size_t room);

/* Reads one; clear it. NOT_FOUND: there are only digests, and too many of the persons are
 * not among the known ones, as those of a relay's own review. INVALID, NOMEM. */
enum status audience_review_read(const json_t *text, const struct digest_key *key,
                                 const struct audience *known,
                                 struct audience_review *out) MUST_CHECK;

/* Of all of them together. NOMEM. */
enum status audiences_compare(const struct audiences *audiences, json_t *const *holds,
                              size_t count, struct audience_change *out) MUST_CHECK;

/* CONFLICT, with the numbers in error, when a change is not what somebody expects: as
 * many people as reach says, or, below 0, the same as when it was held. */
enum status audience_change_check(const struct audience_change *change, int64_t reach,
                                  struct error *error) MUST_CHECK;

/* Of one. */
bool audiences_is_changed(const struct audiences *audiences, size_t i,
                          const json_t *hold);

#endif
