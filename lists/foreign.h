/* Files of Postfix that are given for a list and hold none: tables of patterns or of
 * networks, and the settings of an LDAP or SQL map. */
#ifndef LISTS_FOREIGN_H
#define LISTS_FOREIGN_H

#include "base/status.h"
#include "lists/file.h"

/* INVALID, with path, line and what the file is in error, when it is one of these. Told
 * by its lines alone, whatever it is called. Nothing of a line is repeated. */
enum status foreign_check(const struct file *file, const char *path,
                          struct error *error) MUST_CHECK;

#endif
