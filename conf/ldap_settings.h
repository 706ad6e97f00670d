/* The settings of a source in LDAP, from mailbrake.conf(5) or a file of ldap_table(5). */
#ifndef CONF_LDAP_SETTINGS_H
#define CONF_LDAP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Zero-initialise; clear when done. */
struct strings {
    char **items;
    size_t count;
};

enum status strings_add(struct strings *strings, const char *string) MUST_CHECK;
void strings_first(struct strings *strings); /* the last becomes the first */
bool strings_has(const struct strings *strings, const char *string); /* in any case */
void strings_clear(struct strings *strings);

enum ldap_schema { LDAP_SCHEMA_OPENLDAP, LDAP_SCHEMA_AD };
enum ldap_sasl { LDAP_SASL_OFF, LDAP_SASL_EXTERN };

/* Strings may be NULL or "", for none. */
struct ldap_settings {
    struct strings servers; /* ldap:, ldaps: or ldapi: URLs, asked in turn */
    char *base;
    char *people_base; /* where the members' entries are; the base without one */
    char *filter;      /* of lists */
    char *people;      /* filter of the entries that may be members */
    char *people_not;  /* who matches it isn't counted */
    enum ldap_schema schema;
    struct strings address_attributes; /* of a list; the first address names it */
    struct strings member_attributes;
    struct strings member_address_attributes; /* the first that is set counts */
    char *bind_dn;                            /* none: anonymous */
    char *password;                           /* of an ldap_table(5) file */
    enum ldap_sasl sasl;
    bool start_tls;
    char *ca_file, *cert_file, *cert_key_file;
    int page_size;
};

/* Sets what is not set to what the schema presets. NOMEM. */
enum status ldap_settings_preset(struct ldap_settings *settings) MUST_CHECK;
void ldap_settings_clear(struct ldap_settings *settings);

#endif
