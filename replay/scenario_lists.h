/* The lists of a scenario, one by one, and the addresses of their members. */
#ifndef REPLAY_SCENARIO_LISTS_H
#define REPLAY_SCENARIO_LISTS_H

#include "base/text.h"
#include "policy/address.h"
#include "replay/scenario.h"

struct scenario_lists_item {
    const struct scenario_list *list;
    struct address address;
    int64_t k; /* of the range in the list's address */
};

/* Calls each for every list; a line with a range is several. Another status than OK ends
 * the loop and is its result: INVALID after an error in problems. */
enum status scenario_lists_each(
    const struct scenario *scenario,
    enum status (*each)(void *context, const struct scenario_lists_item *item,
                        struct error *error),
    void *context, struct problems *problems) MUST_CHECK;

/* The address of member n, from 1: by the list's pattern, else "allstudents-17@a.b" of
 * "allstudents@a.b". INVALID, NOMEM. */
enum status scenario_lists_member(const struct scenario_lists_item *item, int64_t n,
                                  struct text *out, struct error *error) MUST_CHECK;

#endif
