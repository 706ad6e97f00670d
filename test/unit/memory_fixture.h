/* A memory, and short words for what is in it. */
#ifndef TEST_UNIT_MEMORY_FIXTURE_H
#define TEST_UNIT_MEMORY_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "store/memory.h"

static const int64_t now_ms = INT64_C(1787000000123);
static struct memory *memory;

static inline void setup(void)
{
    memory = memory_new();
    ck_assert_ptr_nonnull(memory);
}

static inline void teardown(void)
{
    memory_free(memory);
}

/* Ids of one set differ in number only. */
static inline struct memory_id make_id(uint32_t set, uint32_t number)
{
    struct memory_id id = {0};
    memcpy(id.bytes, &set, sizeof set);
    memcpy(id.bytes + sizeof set, &number, sizeof number);
    return id;
}

static inline struct limiter_request make_request(uint32_t set, uint32_t number,
                                                  int64_t cost, int64_t burst)
{
    return (struct limiter_request){.id = make_id(set, number),
                                    .rate = {burst, INT64_C(86400000), burst},
                                    .cost = cost};
}

/* What one bucket has, without charging it. */
static inline int64_t left_in(uint32_t set, uint32_t number, int64_t burst)
{
    struct limiter_request request = make_request(set, number, 0, burst);
    struct charge_outcome outcome;
    ck_assert_int_eq(memory_charge(memory, &request, 1, CHARGE_PEEK, now_ms, &outcome),
                     STATUS_OK);
    return outcome.left;
}

static inline bool take(uint32_t set, uint32_t number, int64_t cost, int64_t burst)
{
    struct limiter_request request = make_request(set, number, cost, burst);
    struct charge_outcome outcome = {0};
    ck_assert_int_eq(memory_charge(memory, &request, 1, CHARGE_TAKE, now_ms, &outcome),
                     STATUS_OK);
    ck_assert_int_eq(outcome.burst, burst);
    return outcome.fits;
}

static inline struct limiter_request window_request(uint32_t set, uint32_t number,
                                                    int64_t cost, int64_t floor)
{
    return (struct limiter_request){.id = make_id(set, number),
                                    .is_window = true,
                                    .surge = {2000, floor, INT64_C(86400000)},
                                    .cost = cost};
}

#endif
