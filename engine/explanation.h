/* What would happen to a message, rule by rule: the model that explain prints. */
#ifndef ENGINE_EXPLANATION_H
#define ENGINE_EXPLANATION_H

#include <jansson.h>

#include "base/text.h"
#include "engine/engine.h"
#include "engine/limit_view.h"
#include "policy/reply.h"

enum rule_state { RULE_SKIPPED, RULE_MATCHED, RULE_FIRES };

struct explained_rule {
    const struct rule *rule;
    enum rule_state state;
    struct text why;
};

/* Borrows from the input and its envelope; clear it before them. */
struct explanation {
    struct judgement judgement;
    struct verdict reported; /* to the MTA: accept in monitor mode */
    struct reply reply;
    struct explained_rule *rules; /* all of the policy's */
    bool live;                    /* the buckets are the daemon's; false: shown as full */
    struct limit_view *views;     /* of the plan's charges; NULL: none, or no answer */
};

/* Judges the input's envelope as live mail is judged, and charges nobody: store is asked
 * for its buckets, which stay as they are, until deadline_us; NULL: every bucket is full.
 * The envelope comes with all its header fields; a sender that is NULL is the login.
 * NOMEM. Fills *out in place, since its parts point at each other. */
enum status explanation_make(const struct engine_input *input, struct store *store,
                             int64_t deadline_us, struct explanation *out) MUST_CHECK;
void explanation_clear(struct explanation *explanation);

const char *rule_state_name(enum rule_state state);

/* One document, see doc/control-api.md; NULL when out of memory. */
json_t *explanation_json(const struct explanation *explanation);

#endif
