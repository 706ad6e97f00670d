/* The configuration of a Postfix, as postconf(1) tells it. */
#ifndef CLI_POSTCONF_H
#define CLI_POSTCONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* A line of master.cf. */
struct postconf_service {
    char *name;    /* "smtp", "127.0.0.1:10025" */
    char *type;    /* "inet", "unix", "pass" */
    char *command; /* "smtpd" */
    bool chrooted;
};

struct postconf;

/* Asks postconf(1) for all of main.cf and master.cf in a folder, with $ expanded. IO with
 * what it complained of, or when it is not installed; NOMEM. */
enum status postconf_load(const char *directory, struct postconf **out,
                          struct error *error) MUST_CHECK;
void postconf_free(struct postconf *postconf); /* NULL is allowed */

/* A parameter of main.cf, or its default; "" when this Postfix has none of that name.
 * Borrowed, as all below. */
const char *postconf_get(const struct postconf *postconf, const char *name);

/* The same, as a service sees it: its own -o, else main.cf's. */
const char *postconf_seen_by(const struct postconf *postconf,
                             const struct postconf_service *service, const char *name);

/* True when the service has a -o of that name. */
bool postconf_is_own(const struct postconf *postconf,
                     const struct postconf_service *service, const char *name);

const struct postconf_service *postconf_services(const struct postconf *postconf,
                                                 size_t *out_count);

/* Where main.cf sets it, last; 0: nowhere, it is a default. */
int postconf_line(const struct postconf *postconf, const char *name);

/* The whole path of main.cf, or of master.cf. */
const char *postconf_main(const struct postconf *postconf);
const char *postconf_master(const struct postconf *postconf);

#endif
