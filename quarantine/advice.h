/* Warnings about the whole of a configuration and its machine: what check and a reload
 * say beside those that stand at a line. */
#ifndef QUARANTINE_ADVICE_H
#define QUARANTINE_ADVICE_H

#include "base/problems.h"
#include "lists/snapshot.h"

/* Looks at files of the machine; neither at the store nor at the mail server's settings.
 */
void advice_add(const struct snapshot *snapshot, struct problems *problems);

#endif
