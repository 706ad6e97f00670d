/* What Postfix's ldap_table(5) files say, as the settings of a source in LDAP. */
#ifndef LISTS_POSTFIX_LDAP_H
#define LISTS_POSTFIX_LDAP_H

#include "conf/ldap_settings.h"
#include "lists/file.h"
#include "lists/source.h"

/* Reads the text of such a file. out is to be cleared whatever the result. INVALID with
 * path, line and reason in error for what we can't follow; NOMEM. */
enum status postfix_ldap_parse(struct file *file, const char *path,
                               struct ldap_settings *out, struct error *error) MUST_CHECK;

/* Reads the source's file, then its servers: see ldap_source_read. */
enum status postfix_ldap_read(const struct list_source *source, struct source_read *read);

#endif
