/* aliases(5), as Postfix and Sendmail read it: name: value, value, ... */
#ifndef LISTS_ALIASES_H
#define LISTS_ALIASES_H

#include "base/problems.h"
#include "base/status.h"
#include "lists/entries.h"
#include "lists/file.h"

/* Reads the text of an alias file into entries (zero-initialised). A name with an '@'
 * outside quotes is that full address. See lookup_table_read for problems and results. */
enum status aliases_read(struct file *file, const char *path, struct entries *entries,
                         struct problems *problems) MUST_CHECK;

#endif
