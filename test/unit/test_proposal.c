/* Limits that follow from what keys did, and which keys are left aside. */
#include <check.h>
#include <stdlib.h>

#include "logs/proposal.h"
#include "run.h"

static const struct rule limited = {.has_limit = true, .limit = {1, 3600000, 1}};
static const struct rule of_clients = {
    .has_limit = true, .limit = {1, 86400000, 1}, .unit = UNIT_CLIENTS};

static const struct {
    int64_t largest[6]; /* until the first 0 */
    int64_t limit;
    size_t outliers;
} few[] = {
    {{0}, 0, 0},
    {{1}, 6, 0},
    {{6, 3}, 11, 0},
    {{147, 36, 3}, 230, 0}, /* 221, rounded */
    {{1200, 900}, 1800, 0},
    {{1237}, 1900, 0},
    /* ten times as much as the next */
    {{3400, 350, 300}, 5100, 0},
    {{3501, 350, 300}, 530, 1},
    {{90000, 3600, 350, 20}, 5400, 1},
    /* but one of few */
    {{90000, 8000, 350, 20}, 12000, 1},
    /* a hundred is no incident */
    {{100, 3, 2}, 150, 0},
    {{101, 3, 2}, 8, 1},
};

START_TEST(proposal_of_few_keys)
{
    static const struct usage unknown;
    struct usage_key keys[6] = {0};
    size_t count = 0;
    for (; count < 6 && few[_i].largest[count] > 0; count++)
        keys[count] =
            (struct usage_key){.usage = &unknown, .largest = few[_i].largest[count]};
    struct proposal proposal = proposal_make(&limited, keys, count, 0);
    ck_assert_int_eq(proposal.limit, few[_i].limit);
    ck_assert_uint_eq(proposal.outliers, few[_i].outliers);
}
END_TEST

enum { MANY = 5000 };

/* 5 of 5,000 keys are beyond the percentile. */
START_TEST(proposal_of_many_keys)
{
    static const struct usage unknown;
    static struct usage_key keys[MANY];
    for (size_t i = 0; i < MANY; i++)
        keys[i] = (struct usage_key){.usage = &unknown,
                                     .largest = i < 3     ? 7000
                                                : i < 5   ? 650
                                                : i < 100 ? 500
                                                          : 12};
    struct proposal proposal = proposal_make(&limited, keys, MANY, 0);
    ck_assert_uint_eq(proposal.outliers, 3);
    ck_assert_int_eq(proposal.largest, 650);
    ck_assert_int_eq(proposal.limit, 980);
    /* those that were forgotten count */
    proposal = proposal_make(&limited, keys, 10, MANY - 10);
    ck_assert_uint_eq(proposal.outliers, 3);
    proposal = proposal_make(&limited, keys, 2, MANY);
    ck_assert_uint_eq(proposal.outliers, 0);
}
END_TEST

/* Its incident says nothing about its other days, but they count. */
START_TEST(proposal_learns_what_an_outlier_does_otherwise)
{
    const struct usage script = {.peaks = {3400, 350, 340, 10}};
    const struct usage library = {.peaks = {150}};
    const struct usage_key keys[] = {{.usage = &script, .largest = 3400},
                                     {.usage = &library, .largest = 150}};
    struct proposal proposal = proposal_make(&limited, keys, 2, 0);
    ck_assert_uint_eq(proposal.outliers, 1);
    ck_assert_int_eq(proposal.largest, 350);
    ck_assert_int_eq(proposal.limit, 530);
}
END_TEST

static int64_t limit_of(const struct rule *rule, int64_t largest)
{
    const struct usage_key key = {.largest = largest};
    return proposal_make(rule, &key, 1, 0).limit;
}

START_TEST(proposal_is_no_more_than_can_be)
{
    struct rule rule = limited;
    ck_assert_int_eq(limit_of(&rule, RATE_TOKENS_MAX), RATE_TOKENS_MAX);
    rule.limit.period_ms = RATE_PERIOD_MAX_MS;
    rule.limit.tokens = limit_of(&rule, RATE_TOKENS_MAX);
    ck_assert_int_lt(rule.limit.tokens, RATE_TOKENS_MAX);
    rule.limit.burst = rule.limit.tokens;
    ck_assert(rate_is_valid(&rule.limit));
    ck_assert_int_eq(limit_of(&of_clients, 150), 230);
    ck_assert_int_eq(limit_of(&of_clients, 180), CLIENT_SET_MAX);
    ck_assert_int_eq(limit_of(&of_clients, USAGE_CLIENTS_MAX), CLIENT_SET_MAX);
}
END_TEST

/* A login is no one else's, so much fewer clients are an incident. */
START_TEST(proposal_of_clients)
{
    static const struct usage unknown;
    struct usage_key keys[] = {{.usage = &unknown, .largest = 21},
                               {.usage = &unknown, .largest = 2}};
    struct proposal proposal = proposal_make(&of_clients, keys, 2, 0);
    ck_assert_uint_eq(proposal.outliers, 1);
    ck_assert_int_eq(proposal.limit, 7);
    keys[0].largest = 20;
    proposal = proposal_make(&of_clients, keys, 2, 0);
    ck_assert_uint_eq(proposal.outliers, 0);
    ck_assert_int_eq(proposal.limit, 30);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proposal");
    TCase *cases = tcase_create("proposal");
    tcase_add_loop_test(cases, proposal_of_few_keys, 0, sizeof few / sizeof *few);
    tcase_add_test(cases, proposal_of_many_keys);
    tcase_add_test(cases, proposal_learns_what_an_outlier_does_otherwise);
    tcase_add_test(cases, proposal_is_no_more_than_can_be);
    tcase_add_test(cases, proposal_of_clients);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
