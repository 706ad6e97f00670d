/* Which rules match a message, and what each charges: the walk before the store is asked.
 */
#ifndef POLICY_PLAN_H
#define POLICY_PLAN_H

#include "base/arena.h"
#include "policy/charge.h"
#include "policy/match.h"

enum {
    PLAN_LIST_BUCKETS_MAX = 64, /* of one rule with key = "list" */
    PLAN_PERMITS_MAX = 8,       /* that one message is held against */
};

/* A rule that matched, in order. */
struct plan_step {
    const struct rule *rule;
    size_t charge;       /* first of its charges */
    size_t charge_count; /* 0 without limit and surge, or with too many lists */
    size_t lists;        /* with key = "list": how many; over PLAN_LIST_BUCKETS_MAX it
                            fires without being charged */
    const struct allowance *confirmed; /* its one charge is what is left of that, in
                                          place of the rule's own; NULL */
    bool fires;                        /* set by judge */
    enum action action; /* by judge, where it fires: what it does, or would do; and the
                           following, as struct verdict has it */
    enum measure measure;
    int64_t over;
    const struct charge *fired, *first;
    struct charge_outcome outcome;
};

/* The permits that match, whose charges come first, and the rules that matched, down to
 * the first that decides by matching. A surge that an allowance passes has charges, but
 * no step: it learns, and stops nothing. A rule that the sender's confirmation passes has
 * a step that fires once its copies are used up. Of several lists in one message, those
 * with an allowance are charged as of a monitor rule. */
struct plan {
    const struct permit *permits[PLAN_PERMITS_MAX]; /* borrowed, as the charges are */
    size_t permit_count;
    struct plan_step *steps;
    size_t step_count;
    struct charge *charges;
    size_t charge_count;
    struct arena subjects;      /* of the charges */
    enum condition *conditions; /* of each rule walked, rules_walked of them */
    size_t rules_walked; /* all, or up to and with the one that decides by matching */
    const struct rule *decides; /* that one; NULL: none, the message is accepted */
    enum charge_mode mode;      /* TAKE when the walk's end is accept, else LATCH */
};

/* The bucket or window of a metered rule for a subject. Borrows both. */
struct charge plan_charge(const struct rule *rule, const char *subject, int64_t cost);

/* NOMEM is the only failure. */
enum status plan_make(const struct view *view, struct plan *out) MUST_CHECK;
void plan_clear(struct plan *plan);

/* What makes one incident of a rule: the subject of its key ("list:a@b", ...); with a
 * list, the first that its to matches; with from, the element that the sender is. False
 * when the message has none; then nothing is written.
 */
bool plan_subject(const struct view *view, const struct rule *rule, char *out,
                  size_t size);

#endif
