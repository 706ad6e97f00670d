/* What brakes and permits have in common: who sets them, and why. */
#ifndef CONTROL_BY_HAND_H
#define CONTROL_BY_HAND_H

#include "control/request.h"

/* The body's reason ("" if it has none), and the peer's name, each for free(3). False,
 * after making the answer, when it is not valid, or without memory. */
bool by_hand_reason(struct request *request, char **out);
bool by_hand_author(struct request *request, char **out);

#endif
