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

/* "name = value" of main.cf, defaults among them, or "service/type/name = value". */
struct postconf_parameter {
    char *name;
    char *value;
};

struct postconf {
    char *main, *master; /* the whole paths of main.cf and master.cf */
    struct postconf_parameter *parameters;
    size_t parameter_count;
    struct postconf_service *services;
    size_t service_count;
};

/* Asks postconf(1) for all of main.cf and master.cf in a folder, with $ expanded. IO with
 * what it complained of, or when it is not installed; NOMEM. */
enum status postconf_load(const char *directory, struct postconf **out,
                          struct error *error) MUST_CHECK;
void postconf_free(struct postconf *postconf); /* NULL is allowed */

/* A parameter of main.cf, or its default; "" when this Postfix has none of that name.
 * Borrowed, as all below. */
const char *postconf_get(const struct postconf *postconf, const char *name);

/* The same, as a service sees it: its own -o, else main.cf's; service may be NULL. */
const char *postconf_seen_by(const struct postconf *postconf,
                             const struct postconf_service *service, const char *name);

/* True when there is such a service, and it has a -o of that name. */
bool postconf_is_own(const struct postconf *postconf,
                     const struct postconf_service *service, const char *name);

/* Where main.cf sets it, last; 0: nowhere, it is a default. */
int postconf_line(const struct postconf *postconf, const char *name);

#endif
