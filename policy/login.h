/* A login in one canonical spelling, so that one person is one key. */
#ifndef POLICY_LOGIN_H
#define POLICY_LOGIN_H

#include <stddef.h>

#include "policy/address.h"
#include "policy/domains.h"

/* A name in the directory and the domain it means: "DISTRICT" is district.example. */
struct login_domain {
    char *name; /* lower case */
    char *domain;
};

/* How logins are written here. Zero-initialise. */
struct login_forms {
    struct login_domain *domains;
    size_t domain_count;
    char *master_separator; /* Dovecot's auth_master_user_separator; NULL or "": none */
};

/* Adds "NAME=domain". INVALID when it isn't one, the domain is not one of own, or the
 * name is there or is an own domain. NOMEM. */
enum status login_forms_add(struct login_forms *forms, const char *text,
                            const struct domains *own, struct error *error) MUST_CHECK;
void login_forms_clear(struct login_forms *forms);

/* An authenticated name as user@domain, in lower case; nothing in it is a comment or a
 * quote. NULL or empty gives an empty address. An empty realm is none; without a realm
 * it is of the first of own. "user%domain" of an own domain, and NAME\user, user@NAME and
 * user%NAME of the forms, are user@domain; any other prefix, "%" or realm stays, a
 * person of its own. Of "user*master" with that separator it is user: whose mailbox the
 * master opened, and who Dovecot itself says has logged in. forms may be NULL. LIMIT when
 * it does not fit. */
enum status login_parse(const char *login, const struct login_forms *forms,
                        const struct domains *own, struct address *out) MUST_CHECK;

#endif
