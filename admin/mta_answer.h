/* Doing an order: look, act, look again. */
#ifndef ADMIN_MTA_ANSWER_H
#define ADMIN_MTA_ANSWER_H

#include "admin/mta.h"
#include "admin/mta_order.h"

/* The lines that stand before the last one are added to reply. NOT_FOUND when the message
 * that is meant is not there. */
enum status mta_answer(const struct mta_job *job, const struct mta_order *order,
                       struct text *reply) MUST_CHECK;

#endif
