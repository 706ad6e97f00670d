/* A connection to one LDAP server: bound, and searched page by page. Every step has a
 * deadline; whatever the server leaves out of an answer makes it no answer. */
#ifndef LISTS_LDAP_CLIENT_H
#define LISTS_LDAP_CLIENT_H

#include <stdint.h>

#include "base/status.h"
#include "conf/ldap_settings.h"

struct ldap_client;

struct ldap_client_args {
    const struct ldap_settings *settings; /* borrowed by the client */
    const char *url;
    const char *password; /* of bind_dn; "" without one */
    int64_t request_timeout_ms;
    int64_t deadline_us; /* of all, monotonic */
};

/* Connects and binds. UNAVAILABLE, with the reason in words that say what to do; NOMEM.
 */
enum status ldap_client_open(const struct ldap_client_args *args,
                             struct ldap_client **out_client,
                             struct error *error) MUST_CHECK;
void ldap_client_close(struct ldap_client *client); /* NULL is allowed */

enum ldap_scope { LDAP_CLIENT_BASE, LDAP_CLIENT_ONE, LDAP_CLIENT_SUBTREE };

/* Called for each entry with its DN, then with each attribute and its values. Another
 * status than OK ends the search, which returns it. */
struct ldap_consumer {
    enum status (*entry)(void *context, const char *dn, size_t length);
    enum status (*attribute)(void *context, const char *name);
    enum status (*value)(void *context, const char *data, size_t length);
    void *context;
};

struct ldap_query {
    const char *base;
    enum ldap_scope scope;
    const char *filter;
    const struct strings *attributes;
    struct ldap_consumer consumer;
};

/* OK only when the server says that this is all. NOT_FOUND when there is no such base, or
 * it may not be seen; INVALID when the server can't answer this search, but may answer
 * others; what the consumer returned; else UNAVAILABLE. The reason is in error. */
enum status ldap_client_search(struct ldap_client *client, const struct ldap_query *query,
                               struct error *error) MUST_CHECK;

#endif
