/* Starts threads with all signals blocked, since other threads wait for those, and with a
 * name that ps(1) and debuggers show. */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include <pthread.h>

#include "base/status.h"

/* Runs run(argument) in a thread; name has at most 15 bytes. It is detached where
 * out_thread is NULL, else the caller joins it. UNAVAILABLE when the system gives none.
 */
enum status worker_start(const char *name, void *(*run)(void *), void *argument,
                         pthread_t *out_thread, struct error *error) MUST_CHECK;

#endif
