/* Warnings about the configuration as a whole and this machine, which check and a reload
 * print besides those with a line. */
#ifndef ENGINE_ADVICE_H
#define ENGINE_ADVICE_H

#include "base/problems.h"
#include "lists/snapshot.h"

/* Looks at files of the machine; neither at the store nor at the mail server's settings.
 */
void advice_add(const struct snapshot *snapshot, struct problems *problems);

#endif
