/* Doing an order: look, act, look again; and the last line of the reply. */
#ifndef ADMIN_MTA_ANSWER_H
#define ADMIN_MTA_ANSWER_H

#include "admin/mta.h"
#include "admin/mta_order.h"

/* Does the order. The lines of the reply, with the last one, are added to reply: ok, ok
 * NUMBER, missing, or error TEXT. message is the text behind refuse and notice. */
void mta_answer(const struct mta *mta, const struct mta_job *job,
                const struct mta_order *order, const struct text *message,
                struct text *reply);

/* The last line for a failure: one line of printable text. */
void mta_answer_fail(struct text *reply, const char *text);

#endif
