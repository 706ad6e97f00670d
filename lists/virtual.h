/* virtual(5), as postmap(1) reads it: key value, value, ... */
#ifndef LISTS_VIRTUAL_H
#define LISTS_VIRTUAL_H

#include "base/problems.h"
#include "base/status.h"
#include "lists/entries.h"
#include "lists/file.h"

/* Reads the text of a virtual alias table into entries (zero-initialised). Keys are
 * user@domain, user, or @domain for the rest of a domain. See lookup_table_read for
 * problems and results. */
enum status virtual_read(struct file *file, const char *path, struct entries *entries,
                         struct problems *problems) MUST_CHECK;

#endif
