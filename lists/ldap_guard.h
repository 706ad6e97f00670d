/* Ends a connection that takes too long to be made: libldap waits for TLS without a
 * deadline. */
#ifndef LISTS_LDAP_GUARD_H
#define LISTS_LDAP_GUARD_H

#include <ldap.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct ldap_guard {
    struct ldap_conncb callback; /* tells us the socket */
    pthread_mutex_t lock;        /* guards what follows */
    pthread_cond_t changed;
    pthread_t thread;
    int64_t deadline_us;
    int fd; /* -1: not known yet */
    bool done, fired;
    bool connected; /* TCP's part of it is done */
};

/* Watches the connection that ld is about to make: its socket is shut down at the
 * deadline. libldap names the socket only when it is connected; before that its
 * LDAP_OPT_NETWORK_TIMEOUT holds, for each address of the host, and looking up the host's
 * name takes what resolv.conf(5) allows. The guard must live as long as ld. UNAVAILABLE
 * without a thread. */
enum status ldap_guard_start(struct ldap_guard *guard, LDAP *ld, int64_t deadline_us,
                             struct error *error) MUST_CHECK;

/* Ends the watch. True when the deadline passed before. */
bool ldap_guard_stop(struct ldap_guard *guard);

#endif
