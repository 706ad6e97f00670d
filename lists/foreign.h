/* Postfix files that are not lists: tables of patterns or of networks, and the settings
 * of an LDAP or SQL map. */
#ifndef LISTS_FOREIGN_H
#define LISTS_FOREIGN_H

#include "base/status.h"
#include "lists/file.h"

/* INVALID, with path, line and the kind of file in error, when it is one of these. Its
 * lines decide, not its name. The error quotes nothing of a line. */
enum status foreign_check(const struct file *file, const char *path,
                          struct error *error) MUST_CHECK;

#endif
