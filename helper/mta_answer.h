/* Doing orders: look, act, look again. */
#ifndef HELPER_MTA_ANSWER_H
#define HELPER_MTA_ANSWER_H

#include "helper/mta.h"
#include "helper/mta_order.h"

/* list, notice and queue: the lines that stand before the last one are added to reply. */
enum status mta_answer_alone(const struct mta_job *job, const struct mta_order *order,
                             struct text *reply) MUST_CHECK;

/* Orders of one verb about messages; each item has its order, and status OK if that is to
 * be done. The queue is looked at once before and once after all of them. How each went
 * is in its item: NOT_FOUND when the message that is meant is not there. A notice goes
 * out once, to the address of the first item, with its text. */
void mta_answer(const struct mta_job *job, struct mta_item *items, size_t count);

#endif
