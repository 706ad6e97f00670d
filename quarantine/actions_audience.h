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
    struct audience **now; /* of each hold; NULL: it can't be decided about here, or its
                              message is gone */
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

/* Of all of them together. NOMEM. */
enum status audiences_compare(const struct audiences *audiences, json_t *const *holds,
                              size_t count, struct audience_change *out) MUST_CHECK;

/* Of one. */
bool audiences_is_changed(const struct audiences *audiences, size_t i,
                          const json_t *hold);

#endif
