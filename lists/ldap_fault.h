/* What LDAP's result codes mean to an administrator. */
#ifndef LISTS_LDAP_FAULT_H
#define LISTS_LDAP_FAULT_H

#include <ldap.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "conf/ldap_settings.h"

struct ldap_fault {
    const char *url;
    const char *step; /* "binding" */
    int code;         /* of ldap(3) */
    bool connected;   /* by TCP, whatever came of TLS */
    int64_t deadline_us;
    const struct ldap_settings *settings;
};

/* Writes "URL: what is wrong, and what to do". Looks at ld (NULL is allowed) and, of a
 * server whose certificate is not trusted, at the certificate, by a connection of its own
 * that is not used for anything else and ends with the deadline. Returns NOMEM or
 * UNAVAILABLE. */
enum status ldap_fault_set(LDAP *ld, const struct ldap_fault *fault, struct error *error);

#endif
