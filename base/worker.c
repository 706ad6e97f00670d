/* The new thread inherits the signal mask, so no signal can reach it before it is set. */
#include "base/worker.h"

#include <signal.h>
#include <string.h>

enum status worker_start(const char *name, void *(*run)(void *), void *argument,
                         pthread_t *out_thread, struct error *error)
{
    sigset_t all, before;
    pthread_t thread;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&thread, NULL, run, argument);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0)
        return error_set(error, STATUS_UNAVAILABLE, "can't start a thread: %s",
                         strerror(failure));
    (void)pthread_setname_np(thread, name);
    if (out_thread == NULL)
        (void)pthread_detach(thread);
    else
        *out_thread = thread;
    return STATUS_OK;
}
