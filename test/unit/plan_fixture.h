/* Lists, the plan of a message to them, and what it charges. */
#ifndef TEST_PLAN_FIXTURE_H
#define TEST_PLAN_FIXTURE_H

#include "message_fixture.h"

static uint32_t five;

static inline void begin(void)
{
    message_begin();
    five = list_of("five@own", "p1@own p2@own p3@own p4@own p5@own");
    (void)list_of("three@own", "p1@own p2@own q@else");
    (void)list_of("holder@own", "five@own z@own");
    bind_list("five@too", five);
}

static inline void plan_for(const char *words)
{
    to(words);
    gather();
    plan_anew();
}

/* The charge's rule is told by its fingerprint. */
static inline void expect_charge(size_t index, const struct rule *rule,
                                 const char *subject, int64_t cost)
{
    ck_assert_uint_lt(index, plan.charge_count);
    const struct charge *charge = &plan.charges[index];
    ck_assert_str_eq(charge->fingerprint, rule->fingerprint);
    ck_assert_str_eq(charge->subject, subject);
    ck_assert_int_eq(charge->cost, cost);
    ck_assert_ptr_eq(charge->rate, rule->has_limit ? &rule->limit : NULL);
    ck_assert_ptr_eq(charge->surge, rule->has_surge ? &rule->surge : NULL);
    ck_assert_int_eq(charge->latch_ms, rule->latch_ms);
    ck_assert_int_eq(charge->monitor, rule->monitor);
    ck_assert_int_eq(charge->trains, policy.monitor);
}

#endif
