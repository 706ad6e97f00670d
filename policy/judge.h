/* Outcomes to a verdict. Pure: live mail, explain, replay and tests decide by this. */
#ifndef POLICY_JUDGE_H
#define POLICY_JUDGE_H

#include "policy/plan.h"

enum cause {
    /* no rule's: named by judge_other_deciders */
    CAUSE_NONE,    /* nothing fired */
    CAUSE_RELAY,   /* judged by another relay of ours */
    CAUSE_NOTICE,  /* a notice of Mailbrake's own */
    CAUSE_BRAKE,   /* set by hand */
    CAUSE_UNKNOWN, /* lists_unknown */
    CAUSE_GROWN,   /* lists_grown */
    CAUSE_STORE,   /* the store did not answer: on_failure */
    CAUSE_DOUBT,   /* we could not decide: no memory, or a message past a cap */
    CAUSE_FORGED,  /* more X-Mailbrake fields than any mail has */
    CAUSE_PERMIT,  /* a permit lets it pass */
    CAUSE_ANSWER,  /* a sender's answer lets go what was held of his */
    /* a rule's */
    CAUSE_RULE,     /* by matching */
    CAUSE_LIMIT,    /* a bucket was short, or a window's usual copies were passed */
    CAUSE_LATCH,    /* it fired a while ago, and is latched */
    CAUSE_TOO_MANY, /* too many buckets for one message */
};

/* Borrows from plan, facts, directory and rules. */
struct verdict {
    enum action action;
    bool temporary; /* not the rule's defer but our own 451: doubt, or a small share */
    enum cause cause;
    const struct rule *rule;       /* NULL without one */
    enum measure measure;          /* CAUSE_RULE: what was over, if over >= 0 */
    int64_t over;                  /* its limit, -1 when the rule has no threshold */
    int64_t value;                 /* reach, or the measure's value */
    const struct brake *brake;     /* CAUSE_BRAKE */
    const struct list *grown;      /* CAUSE_GROWN */
    const struct permit *permit;   /* CAUSE_PERMIT; else the first that matched, and of
                                      which   too little was left; NULL: none did */
    int64_t permit_left;           /* copies of that permit before this message */
    const struct charge *charge;   /* CAUSE_LIMIT, CAUSE_LATCH: what fired; else NULL */
    struct charge_outcome outcome; /* of that charge */
    bool confirm;                  /* held, and its sender can let it go */
    bool used_up; /* what fired is all that is left of a confirmation: without it the rule
                     may let the message pass */
    const struct charge *first; /* the first that fired, which names the incident: charge,
                                   but where another can never pass */
};

/* More X-Mailbrake fields are forged: taking off thousands keeps the MTA busy for
 * seconds, and nobody sends them in good faith. */
enum { JUDGE_HOLD_HEADERS_MAX = 10 };

/* A verdict that needs no plan, in this order: relays, notices, forged fields, a message
 * whose facts are guessed (CAUSE_DOUBT), brakes, unknown lists, lists that have
 * grown (unless lists_grown is accept: then the rules decide). False when there is none.
 */
bool judge_early(const struct view *view, struct verdict *out);

/* The verdict of a walk; a permit with room comes before all its steps. outcomes: one for
 * each of the plan's charges, or NULL to take every bucket as having room (on_failure =
 * "accept"). source: CHARGE_SOURCE_LOCAL makes a cost that only the share is too small
 * for a 451. On local origin any defer is a hold; a cost over burst under defer is a
 * reject, also that of a later list. Marks the steps that fire. */
void judge(const struct view *view, struct plan *plan,
           const struct charge_outcome *outcomes, enum charge_source source,
           struct verdict *out);

/* What a monitor rule's step would have done; accept when that is nothing. After judge.
 */
struct verdict judge_would(const struct plan_step *step);

/* The verdict when we cannot decide: try again later, or, for mail of sendmail(1), a
 * hold: the MTA would try it for ever. CAUSE_STORE or CAUSE_DOUBT. */
struct verdict judge_doubt(const struct facts *facts, enum cause cause);

/* What identifies the incident of a verdict: the bucket that was short, the brake, the
 * list that has grown, or the rule's key. May use buffer; borrows from view and verdict,
 * too. */
const char *judge_subject(const struct view *view, const struct verdict *verdict,
                          char buffer[SUBJECT_SIZE]);

/* The name of each cause that is not a rule's, used for a rule's in the log, in incidents
 * and in replies. NULL-terminated. */
extern const char *const judge_other_deciders[];

/* The name of what decided: the rule's, or one of these. */
const char *judge_decider(const struct verdict *verdict);

#endif
