/* For script/coverage, which links every program with it (-Wl,--wrap=_exit): what one ran
 * is counted also when it ends by _exit, or by SIGUSR2, which the end-to-end tests send
 * where they would kill it. */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

static void *wait_for_the_end(void *nothing)
{
    sigset_t end;
    int number;
    (void)nothing;
    (void)sigemptyset(&end);
    (void)sigaddset(&end, SIGUSR2);
    while (sigwait(&end, &number) != 0)
        ;
    __wrap__exit(0);
}

/* In a thread of its own: the program's may block signals, and be at anything. */
__attribute__((constructor)) static void expect_the_end(void)
{
    sigset_t all, before;
    pthread_t thread;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_create(&thread, NULL, wait_for_the_end, NULL);
    (void)sigaddset(&before, SIGUSR2);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}
