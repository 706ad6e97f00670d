/* The holds of a ledger as one array, whole. */
#ifndef TEST_HOLD_ARRAY_H
#define TEST_HOLD_ARRAY_H

#include <check.h>
#include <jansson.h>

#include "base/clock.h"
#include "quarantine/ledger_list.h"

/* For json_decref; those that are over only with all. */
static inline json_t *hold_array(struct ledger *from, bool all)
{
    json_t *hold;
    enum status status;
    struct ledger_list *list = NULL;
    json_t *array = json_array();
    int64_t deadline_us = clock_monotonic_us() + 60 * INT64_C(1000000);
    ck_assert_int_eq(ledger_list_holds(from, all, NULL, deadline_us, &list), STATUS_OK);
    while ((status = ledger_list_next(list, deadline_us, &hold)) == STATUS_OK)
        (void)json_array_append_new(array, hold);
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    ledger_list_free(list);
    return array;
}

#endif
