/* aliases(5) and virtual(5): logical lines of a key and its values. */
#ifndef LISTS_LOOKUP_TABLE_H
#define LISTS_LOOKUP_TABLE_H

#include "base/problems.h"
#include "base/status.h"
#include "lists/entries.h"
#include "lists/file.h"

/* Both read a table's text, which they change, into entries (zero-initialised). A line
 * that is wrong is an error in problems, with path and line, and is skipped, as
 * postmap(1) does. A key that comes twice is a warning, and one entry with the members of
 * both (postmap keeps the first, postmap -r the last). NOMEM, or LIMIT past a cap. */

/* "name: value, value, ...", as Postfix and Sendmail read it. A name with an '@' outside
 * quotes is that full address. */
enum status lookup_table_read_aliases(struct file *file, const char *path,
                                      struct entries *entries,
                                      struct problems *problems) MUST_CHECK;

/* "key value, value, ...": keys are user@domain, user, or @domain for the rest of a
 * domain. */
enum status lookup_table_read_virtual(struct file *file, const char *path,
                                      struct entries *entries,
                                      struct problems *problems) MUST_CHECK;

#endif
