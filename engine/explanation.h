/* What would happen to a message, rule by rule: the model that explain prints. */
#ifndef ENGINE_EXPLANATION_H
#define ENGINE_EXPLANATION_H

#include <jansson.h>

#include "base/text.h"
#include "engine/limit_view.h"
#include "lists/snapshot.h"
#include "policy/brake.h"
#include "policy/reply.h"
#include "store/conversations.h"

enum rule_state { RULE_SKIPPED, RULE_MATCHED, RULE_FIRES };

struct explained_rule {
    const struct rule *rule;
    enum rule_state state;
    struct text why;
};

/* What only the daemon knows. All borrowed. */
struct explanation_live {
    struct store *store;          /* asked for the buckets, which stay as they are */
    enum on_failure on_failure;   /* when it does not answer */
    const struct brakes *brakes;  /* may be NULL */
    const struct digest_key *key; /* of the store's subjects */
    struct conversations *conversations; /* may be NULL */
    int64_t now_ms;                      /* wall time */
    int64_t deadline_us;                 /* for the store */
};

/* Borrows from the snapshot, the envelope and what is live; clear it before them. */
struct explanation {
    struct facts facts;
    struct view view;
    struct plan plan;
    struct verdict verdict;
    struct reply reply;
    struct explained_rule *rules; /* all of the policy's */
    bool live;                    /* the buckets are the daemon's; false: shown as full */
    struct limit_view *views;     /* of the plan's charges; NULL: none, or not asked */
    enum charge_source source;    /* who answered */
};

/* Judges an envelope with full buckets; a sender that is NULL is the login. NOMEM, or
 * LIMIT for an address that is too long. Fills *out in place, since its parts point at
 * each other. */
enum status explanation_make(const struct snapshot *snapshot,
                             const struct envelope *envelope, int minute_of_week,
                             struct explanation *out) MUST_CHECK;
void explanation_clear(struct explanation *explanation);

/* The same as the daemon would judge it now. A store that does not answer leaves the
 * buckets shown as full and source CHARGE_SOURCE_NONE; the verdict is that of on_failure.
 */
enum status explanation_make_live(const struct snapshot *snapshot,
                                  const struct envelope *envelope, int minute_of_week,
                                  const struct explanation_live *live,
                                  struct explanation *out) MUST_CHECK;

/* In monitor mode everything passes, but for what a brake stops. */
bool explanation_only_watches(const struct explanation *explanation);

/* What the MTA would be told: "accept" in monitor mode, whatever the verdict. */
const char *explanation_verdict(const struct explanation *explanation);

const char *rule_state_name(enum rule_state state);

/* One document, see doc/control-api.md; NULL without memory. */
json_t *explanation_json(const struct explanation *explanation);

#endif
