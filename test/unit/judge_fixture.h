/* A plan, what the store found of its charges, and the verdict. */
#ifndef TEST_JUDGE_FIXTURE_H
#define TEST_JUDGE_FIXTURE_H

#include "message_fixture.h"

enum { OUTCOMES = 80 };

static struct charge_outcome outcomes[OUTCOMES];
static struct verdict verdict;

static inline void begin(void)
{
    message_begin();
    (void)list_of("five@own", "p1@own p2@own p3@own p4@own p5@own");
    (void)list_of("three@own", "p1@own p2@own q@else");
    (void)list_in_state("lost@own", "p1@own", LIST_UNKNOWN);
    seal();
    memset(outcomes, 0, sizeof outcomes);
}

static inline void plan_for(const char *words)
{
    to(words);
    gather();
    plan_anew();
    ck_assert_uint_le(plan.charge_count, OUTCOMES);
}

/* What the store says of one bucket, or of one window without a past. */
static inline void found(size_t charge, int64_t left)
{
    ck_assert_uint_lt(charge, plan.charge_count);
    const struct charge *asked = &plan.charges[charge];
    outcomes[charge] = (struct charge_outcome){
        .left = left,
        .burst = asked->rate != NULL ? asked->rate->burst : asked->surge->floor,
        .fits = asked->cost <= left};
}

/* The same of one that has a latch set. */
static inline void found_latched(size_t charge, int64_t left)
{
    found(charge, left);
    outcomes[charge].latch_ms = 1;
}

/* The same of a local share, whose bucket is smaller. */
static inline void found_share(size_t charge, int64_t left, int64_t burst)
{
    found(charge, left);
    outcomes[charge].burst = burst;
}

static inline void judge_by(enum charge_source source)
{
    judge(&view, &plan, outcomes, source, &verdict);
}

static inline void expect(enum action action, enum cause cause, const struct rule *rule)
{
    ck_assert_int_eq(verdict.action, action);
    ck_assert_int_eq(verdict.cause, cause);
    ck_assert_ptr_eq(verdict.rule, rule);
}

#endif
