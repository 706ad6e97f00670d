/* A thread for the time of the connecting: blocking reads end when their socket is shut
 * down. */
#include "lists/ldap_guard.h"

#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/worker.h"

static int take_socket(LDAP *ld, Sockbuf *socket, LDAPURLDesc *url,
                       struct sockaddr *address, struct ldap_conncb *callback)
{
    struct ldap_guard *guard = callback->lc_arg;
    (void)ld;
    (void)url;
    (void)address;
    pthread_mutex_lock(&guard->lock);
    (void)ber_sockbuf_ctrl(socket, LBER_SB_OPT_GET_FD, &guard->fd);
    guard->connected = true;
    if (guard->fired)
        (void)shutdown(guard->fd, SHUT_RDWR);
    pthread_mutex_unlock(&guard->lock);
    return 0;
}

static void drop_socket(LDAP *ld, Sockbuf *socket, struct ldap_conncb *callback)
{
    (void)ld;
    (void)socket;
    struct ldap_guard *guard = callback->lc_arg;
    pthread_mutex_lock(&guard->lock);
    guard->fd = -1;
    pthread_mutex_unlock(&guard->lock);
}

static void *run(void *argument)
{
    struct ldap_guard *guard = argument;
    struct timespec until = clock_timespec(guard->deadline_us);
    pthread_mutex_lock(&guard->lock);
    while (!guard->done &&
           pthread_cond_timedwait(&guard->changed, &guard->lock, &until) == 0)
        ;
    guard->fired = !guard->done;
    if (guard->fired && guard->fd >= 0)
        (void)shutdown(guard->fd, SHUT_RDWR);
    pthread_mutex_unlock(&guard->lock);
    return NULL;
}

enum status ldap_guard_start(struct ldap_guard *guard, LDAP *ld, int64_t deadline_us,
                             struct error *error)
{
    pthread_condattr_t monotonic;
    *guard = (struct ldap_guard){.callback = {take_socket, drop_socket, guard},
                                 .deadline_us = deadline_us,
                                 .fd = -1};
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&guard->lock, NULL);
    (void)pthread_cond_init(&guard->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (ldap_set_option(ld, LDAP_OPT_CONNECT_CB, &guard->callback) != LDAP_OPT_SUCCESS)
        return error_set(error, STATUS_UNAVAILABLE, "libldap can't watch a connection");
    return worker_start("ldap-guard", run, guard, &guard->thread, error);
}

bool ldap_guard_stop(struct ldap_guard *guard)
{
    pthread_mutex_lock(&guard->lock);
    guard->done = true;
    (void)pthread_cond_signal(&guard->changed);
    pthread_mutex_unlock(&guard->lock);
    (void)pthread_join(guard->thread, NULL);
    return guard->fired;
}
