/* What another relay orders, done as if it were asked for here, in the name of whoever
 * asked there. */
#ifndef CONTROL_OBEY_H
#define CONTROL_OBEY_H

#include "control/control.h"

/* Carries out an order that was taken (store/orders.h), and writes it to the audit. The
 * answer, ASCII, for free(3); NULL without memory. */
char *obey_order(const struct control_context *context, const char *text);

#endif
