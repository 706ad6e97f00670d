/* What would happen to a message, rule by rule: the model that explain prints. */
#ifndef ADMIN_EXPLANATION_H
#define ADMIN_EXPLANATION_H

#include <jansson.h>

#include "base/text.h"
#include "lists/snapshot.h"
#include "policy/reply.h"

enum rule_state { RULE_SKIPPED, RULE_MATCHED, RULE_FIRES };

struct explained_rule {
    const struct rule *rule;
    enum rule_state state;
    struct text why;
};

/* Borrows from the snapshot and the envelope; clear it before them. */
struct explanation {
    struct facts facts;
    struct view view;
    struct plan plan;
    struct verdict verdict;
    struct reply reply;
    struct explained_rule *rules; /* all of the policy's */
    bool live;                    /* the buckets are the daemon's; false: shown as full */
};

/* Judges an envelope with full buckets. NOMEM, or LIMIT for an address that is too long.
 * Fills *out in place, since its parts point at each other. */
enum status explanation_make(const struct snapshot *snapshot,
                             const struct envelope *envelope, int minute_of_week,
                             struct explanation *out) MUST_CHECK;
void explanation_clear(struct explanation *explanation);

/* What the MTA would be told: "accept" in monitor mode, whatever the verdict. */
const char *explanation_verdict(const struct explanation *explanation);

const char *rule_state_name(enum rule_state state);

/* As people read it, on stdout. */
void explanation_print(const struct explanation *explanation);

/* As design: one document; NULL without memory. */
json_t *explanation_json(const struct explanation *explanation);

#endif
