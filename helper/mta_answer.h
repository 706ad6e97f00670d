/* Carrying out orders: look, act, look again. */
#ifndef HELPER_MTA_ANSWER_H
#define HELPER_MTA_ANSWER_H

#include "helper/mta.h"
#include "helper/mta_order.h"

/* list, notice, queue and content: adds all lines of the answer but the last to reply.
 * Failures as in mta.h, with the text in job->error. */
enum status mta_answer_alone(const struct mta_job *job, const struct mta_order *order,
                             struct text *reply) MUST_CHECK;

/* Orders of one verb about messages; each item has its order, and status OK unless it
 * is to be skipped. The queue is looked at once before and once after all of them. Each
 * item gets its result: NOT_FOUND when the message is not in the queue. A notice goes out
 * once, to the address of the first item, with its text. */
void mta_answer(const struct mta_job *job, struct mta_item *items, size_t count);

#endif
