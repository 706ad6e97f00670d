/* What administrators set by hand: brakes, which come before all rules, allowances,
 * which let one key pass a rule for a while, and permits. */
#ifndef POLICY_BRAKE_H
#define POLICY_BRAKE_H

#include "policy/permit.h"

/* Strings are owned. */
struct brake {
    struct brake_key key;
    enum action action; /* not accept */
    int64_t until_ms;   /* wall time; INT64_MAX: until it is cleared */
    char *by;           /* who set it */
    char *reason;       /* printable ASCII, or "" */
};

struct allowance {
    char *fingerprint; /* of the rule */
    char *subject;     /* plain */
    int64_t until_ms;
    /* Of one that its sender has by confirming; else id and by are NULL. */
    char *id;         /* of the bucket of its copies */
    char *by;         /* whose mail passes, as confirm_identity gives it */
    struct rate rate; /* its copies, as a bucket that never refills */
};

struct brakes {
    struct brake *items;
    size_t count;
    struct allowance *allowances;
    size_t allowance_count;
    struct permit *permits;
    size_t permit_count;
};

enum { BRAKE_REASON_MAX = 200 };

void brake_clear(struct brake *brake);
void brakes_clear(struct brakes *brakes);

/* Add a copy; false without memory. Afterwards they are sorted: in one order everywhere,
 * since the first that stops a message is its reason. */
bool brakes_add(struct brakes *brakes, const struct brake *brake) MUST_CHECK;
bool brakes_add_allowance(struct brakes *brakes,
                          const struct allowance *allowance) MUST_CHECK;
bool brakes_add_permit(struct brakes *brakes, const struct permit *permit) MUST_CHECK;
void brakes_sort(struct brakes *brakes);

/* Nothing to clear, and not to be changed: one for whoever sends, and as many copies as
 * come. */
struct allowance brakes_borrow_allowance(const char *fingerprint, const char *subject,
                                         int64_t until_ms);

/* The first brake in force for a message; NULL when there is none. brakes may be NULL. */
const struct brake *brake_find(const struct brakes *brakes, const struct facts *facts,
                               const struct directory *directory, int64_t now_ms);

/* The latest allowance by which that sender's confirmation lets the subject pass the
 * rule, as far as its copies last; NULL. brakes may be NULL. */
const struct allowance *brake_find_confirmed(const struct brakes *brakes,
                                             const char *fingerprint, const char *subject,
                                             const struct facts *facts,
                                             const struct domains *own, int64_t now_ms);

/* True when an administrator lets the subject pass the rule. brakes may be NULL. */
bool brake_allows(const struct brakes *brakes, const char *fingerprint,
                  const char *subject, int64_t now_ms);

#endif
