/* Reads all lists of an LDAP directory. */
#ifndef LISTS_LDAP_SOURCE_H
#define LISTS_LDAP_SOURCE_H

#include "conf/settings.h"
#include "lists/source.h"

/* Asks each server in turn until one gives all. Fills read's entries, problems and
 * summary; UNAVAILABLE, with the reason of each server in read's error, when none does;
 * NOMEM. */
enum status ldap_source_read(const struct list_source *source, struct source_read *read);

/* The same, with settings from elsewhere, whose password is set. */
enum status ldap_source_read_by(const struct list_source *source,
                                const struct ldap_settings *settings,
                                struct source_read *read);

#endif
